"""What is configured, what is missing or unsafe, and the remedy of each: the examinations behind `manage.py doctor`.

Importing this needs no settings: when they refuse to load, `refusals` still says why.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "unsafe", "broken"]
CONNECT_SECONDS = 5
HEARTBEAT_SECONDS = 90
BACKLOG_MINUTES = 10
FEWEST_BREACHED = 1_000_000  # the public list has a thousand times as many
# Where sealed texts are kept, beside those that `_sealing` reads anyway and the profile's sealed attributes.
SEALED_COLUMNS = (
    ("oidc.ClientSecret", "sealed"),
    ("oidc.PairwiseSalt", "sealed"),
    ("idp_mfa.TotpDevice", "sealed_secret"),
    ("federation.UpstreamRow", "secret_sealed"),
    ("notifications.Webhook", "keys"),
    ("ssf.Stream", "authorization_sealed"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `remedy` is empty only where nothing is to be done."""

    part: str
    state: State
    text: str
    remedy: str = ""


def healthy(findings: list[Finding]) -> bool:
    """Nothing is unsafe or broken."""
    return all(finding.state in ("ok", "warning") for finding in findings)


def refusals() -> list[Finding]:
    """Why the settings refuse to load; empty if they do load. Names variables, never shows values."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        settings.IDP  # noqa: B018  loads them
    except ImproperlyConfigured as error:
        sentences: list[str] = getattr(error, "problems", [str(error)])
        return [Finding("settings", "broken", *_divided(sentence)) for sentence in sentences]
    return []


def _divided(sentence: str) -> tuple[str, str]:
    # "IDP_ISSUER is missing: set the public origin …" is a finding and its remedy.
    text, _, remedy = sentence.partition(": ")
    return f"{text.removesuffix('.')}.", f"{remedy[:1].upper()}{remedy[1:]}" if remedy else "Correct it; docs/configuration.md lists all."


def examine() -> list[Finding]:
    """All findings, worst last within a part. An examination that fails by itself is a finding too."""
    found: list[Finding] = []
    for part, look in EXAMINATIONS:
        try:
            found += [Finding(part, *rest) for rest in look()]
        except Exception as error:  # noqa: BLE001  a doctor that falls over helps nobody
            found.append(Finding(part, "broken", f"could not be examined ({type(error).__name__}).", "See the log of the web process."))
    return found


Row = tuple[State, str, str]


def _settings() -> Iterator[Row]:
    from django.conf import settings

    idp = settings.IDP
    yield "ok", f"{idp.env}, issuer {idp.issuer}", ""
    if idp.development:
        yield (
            "warning",
            "IDP_ENV is development: playground and mail inbox are open to whoever reaches this port.",
            "Set IDP_ENV=production.",
        )
    if idp.secret_key_fallbacks:
        yield (
            "warning",
            f"{len(idp.secret_key_fallbacks)} former IDP_SECRET_KEY still accepted.",
            "Empty IDP_SECRET_KEY_FALLBACKS once sessions and links made with them are over.",
        )
    if idp.development and (idp.data_dir / "secrets.env").exists() and (idp.data_dir / "secrets.env").stat().st_mode & 0o077:
        yield "unsafe", "The generated secrets can be read by other accounts.", f"chmod 600 {idp.data_dir / 'secrets.env'}"


def _proxies() -> Iterator[Row]:
    from django.conf import settings

    if settings.IDP.trusted_proxies:
        yield "ok", f"{len(settings.IDP.trusted_proxies)} trusted.", ""
    elif settings.IDP.issuer.startswith("https://"):
        yield (
            "warning",
            "IDP_TRUSTED_PROXIES is empty: every person seems to come from the proxy's address, so they share one limit.",
            "Set IDP_TRUSTED_PROXIES to the address (or CIDR) of the reverse proxy that ends TLS.",
        )


def _database() -> Iterator[Row]:
    from django.db import DatabaseError, connection
    from django.db.migrations.executor import MigrationExecutor

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        yield "broken", f"{connection.vendor} cannot be reached.", "Start it, and check host, name, user and password in IDP_DATABASE_URL."
        return
    pending = MigrationExecutor(connection).migration_plan(MigrationExecutor(connection).loader.graph.leaf_nodes())
    if pending:
        yield "broken", f"{connection.vendor} is reachable, {len(pending)} migrations are missing.", "Run: manage.py migrate"
    else:
        yield "ok", f"{connection.vendor} is reachable, every migration is applied.", ""


def _redis() -> Iterator[Row]:
    from django.conf import settings

    from . import health

    if settings.IDP.embedded:
        yield "ok", "not used: cache and broker are in the one process.", ""
        return
    try:
        health.redis()
    except Exception:  # noqa: BLE001
        yield "broken", "Redis cannot be reached.", "Start it, and check IDP_REDIS_URL."
        return
    try:
        health.broker()
    except Exception:  # noqa: BLE001
        yield (
            "broken",
            "Redis answers, but not as Celery's broker.",
            "Check the database number and the rights of the account in IDP_REDIS_URL.",
        )
        return
    yield "ok", "Redis answers, also as Celery's broker.", ""


def _worker() -> Iterator[Row]:
    from datetime import timedelta

    from django.conf import settings

    from idp.kernel.clock import now

    from .models import Heartbeat

    beat = Heartbeat.objects.filter(name="worker").first()
    if beat is not None and beat.at > now() - timedelta(seconds=HEARTBEAT_SECONDS):
        yield "ok", "worker and scheduler were alive within the last minute and a half.", ""
    elif settings.IDP.embedded:
        yield "warning", "no sign of life of the worker: the server is not running.", "Start it: make run (or manage.py serve)"
    else:
        yield (
            "broken",
            "no sign of life of the worker: mail and events wait.",
            "Start one `manage.py worker` and one `manage.py beat`, with the same settings.",
        )


def _keys() -> Iterator[Row]:
    from datetime import timedelta

    from django.conf import settings

    from idp.kernel.clock import now
    from idp.oidc.keys.ring import ring
    from idp.oidc.models import SigningKey

    signing = ring().algorithms
    absent = [algorithm for algorithm in ("RS256", "ES256") if algorithm not in signing]
    if absent:
        yield (
            "broken",
            f"no key that signs {' and '.join(absent)}.",
            "Run: manage.py keys rotate --now " + " ".join(f"--algorithm {algorithm}" for algorithm in absent),
        )
    else:
        yield "ok", f"signing with {', '.join(signing)}.", ""
    old = now() - timedelta(days=settings.IDP.key_rotation_days + 7)
    if SigningKey.objects.filter(retires_at=None, activates_at__lt=old).exists():
        yield "warning", "a signing key is older than IDP_KEY_ROTATION_DAYS.", "Keep worker and beat running, or: manage.py keys rotate"


def _opens_something(key_id: str) -> bool:
    """Whether a key protects anything that is kept: taking it away would lose that for good."""
    from django.apps import apps
    from django.db.models import TextField
    from django.db.models.functions import Cast

    for name, column in SEALED_COLUMNS:
        if apps.get_model(name)._default_manager.filter(**{f"{column}__startswith": f"{key_id}."}).exists():
            return True
    people = apps.get_model("accounts.User")._default_manager.annotate(stored=Cast("claims", TextField()))
    return people.filter(stored__contains=f'"{key_id}.').exists()


def _sealing() -> Iterator[Row]:
    from django.conf import settings

    from idp.events.models import Delivery
    from idp.kernel.sealing import newest_key_id
    from idp.oidc.models import SigningKey

    known, newest = list(settings.SEALING_KEYS), newest_key_id()
    sealed_by = {row.partition(".")[0] for row in SigningKey.objects.values_list("private_sealed", flat=True)}
    sealed_by |= {row.partition(".")[0] for row in Delivery.objects.exclude(payload="").values_list("payload", flat=True)[:1000]}
    sealed_by |= {key_id for key_id in known if key_id not in sealed_by and _opens_something(key_id)}
    lost = sorted(sealed_by - set(known))
    if lost:
        yield "broken", f"sealed with keys that IDP_SEALING_KEYS no longer has: {', '.join(lost)}.", "Put them back, after the newest one."
    still_needed = [key_id for key_id in known if key_id in sealed_by and key_id != newest]
    unneeded = [key_id for key_id in known if key_id not in sealed_by and key_id != newest]
    yield "ok", f"{len(known)} keys; {newest} seals.", ""
    if still_needed:
        yield (
            "warning",
            f"still needed to open: {', '.join(still_needed)}.",
            "Keep them; manage.py keys rotate seals the next signing keys anew.",
        )
    if unneeded:
        yield "warning", f"nothing is sealed with: {', '.join(unneeded)}.", "Take them out of IDP_SEALING_KEYS."


def _mail() -> Iterator[Row]:
    from urllib.parse import urlsplit

    from django.conf import settings

    parts = urlsplit(settings.IDP.email_url.get_secret_value())
    if parts.scheme == "inbox":
        yield (
            ("ok" if settings.IDP.development else "unsafe"),
            "mail is shown at /dev/inbox, not sent.",
            ("" if settings.IDP.development else "Set IDP_EMAIL_URL to your mail server."),
        )
        return
    port = parts.port or {"smtp": 25, "smtp+tls": 587, "smtps": 465}[parts.scheme]
    context = ssl.create_default_context()
    try:
        if parts.scheme == "smtps":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(parts.hostname or "", port, timeout=CONNECT_SECONDS, context=context)
        else:
            connection = smtplib.SMTP(parts.hostname or "", port, timeout=CONNECT_SECONDS)
        with connection:
            if parts.scheme == "smtp+tls":
                connection.starttls(context=context)
            connection.noop()
    except ssl.SSLError:
        yield (
            "broken",
            "the mail server's certificate is not accepted.",
            "Use the name in its certificate, or smtp:// in a network of your own.",
        )
    except (OSError, smtplib.SMTPException):
        yield "broken", "the mail server cannot be reached.", "Check host and port in IDP_EMAIL_URL and the firewall."
    else:
        yield "ok", "the mail server answers (nothing was sent).", ""
    if parts.scheme == "smtp" and parts.password and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        yield "unsafe", "the mail password crosses the network in clear.", "Use smtp+tls:// or smtps://."
    if settings.IDP.email_from.endswith("@localhost>"):
        yield "warning", "IDP_EMAIL_FROM is the default: most servers refuse such mail.", "Set it to an address of your domain."


def _text_messages() -> Iterator[Row]:
    from urllib.parse import urlsplit

    from django.conf import settings

    idp = settings.IDP
    parts = urlsplit(idp.sms_url.get_secret_value())
    if not parts.scheme:
        if idp.sms_codes:
            yield "warning", "IDP_SMS_CODES is on, and there is no gateway: nobody gets a code.", "Set IDP_SMS_URL, or IDP_SMS_CODES=false."
        return
    if parts.scheme == "inbox":
        yield "ok", "text messages are shown at /dev/inbox, not sent.", ""
        return
    yield "ok", f"text messages go to {parts.hostname} (nothing was sent).", ""
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        yield "unsafe", "codes and the gateway's password cross the network in clear.", "Use https:// in IDP_SMS_URL."
    if "$to" not in idp.sms_fields or "$text" not in idp.sms_fields:
        yield "broken", "IDP_SMS_FIELDS leaves out $to or $text: every message is lost.", "Name both; docs/text-messages.md has examples."
    if not idp.sms_prefixes:
        yield (
            "warning",
            "IDP_SMS_PREFIXES is empty: messages go to every country, also where they are expensive.",
            "Name the countries of your people, for example +49,+43.",
        )


def _passwords() -> Iterator[Row]:
    from django.conf import settings

    from idp.accounts import breached

    path = settings.IDP.breached_passwords_file
    if path is None:
        yield (
            "warning",
            "breached passwords are known by the short list that ships only.",
            "Run: manage.py breached_passwords build, then set IDP_BREACHED_PASSWORDS_FILE.",
        )
        return
    try:
        entries = breached.File(path).entries
    except (OSError, breached.Malformed):
        yield "broken", "IDP_BREACHED_PASSWORDS_FILE cannot be used.", "Make it anew: manage.py breached_passwords build"
        return
    if entries < FEWEST_BREACHED:
        yield "warning", f"only {entries} breached passwords are known.", "Build the file from the whole public list."
    else:
        yield "ok", f"{entries} breached passwords are known.", ""


def _backlog() -> Iterator[Row]:
    from datetime import timedelta

    from idp.events.models import Delivery
    from idp.kernel.clock import now

    late = Delivery.objects.filter(state=Delivery.State.WAITING, due_at__lt=now() - timedelta(minutes=BACKLOG_MINUTES)).count()
    dead = Delivery.objects.filter(state=Delivery.State.DEAD).count()
    if late:
        yield (
            "broken",
            f"{late} deliveries wait for more than {BACKLOG_MINUTES} minutes.",
            "Check worker and mail server, then look at the worker's log.",
        )
    if dead:
        yield "warning", f"{dead} deliveries were given up.", "Their `last_error` says why; correct it and send again."
    if not late and not dead:
        yield "ok", "nothing waits.", ""


def _demo() -> Iterator[Row]:
    from django.conf import settings

    from idp.accounts.models import User
    from idp.oidc.models import Client

    from .setup import DEMO_CLIENT_ID, DEMO_EMAIL

    if settings.IDP.development:
        return
    if User.objects.filter(email=DEMO_EMAIL, is_active=True).exists():
        yield "unsafe", "the demo person of a development site can sign in.", f"Run: manage.py user disable {DEMO_EMAIL}"
    if Client.objects.filter(client_id=DEMO_CLIENT_ID).exists():
        yield "unsafe", "the demo app of a development site is registered.", f"Run: manage.py client delete {DEMO_CLIENT_ID}"


EXAMINATIONS: tuple[tuple[str, Callable[[], Iterator[Row]]], ...] = (
    ("settings", _settings),
    ("proxies", _proxies),
    ("database", _database),
    ("redis", _redis),
    ("worker", _worker),
    ("signing keys", _keys),
    ("sealing keys", _sealing),
    ("mail", _mail),
    ("text messages", _text_messages),
    ("passwords", _passwords),
    ("outbox", _backlog),
    ("demo data", _demo),
)
