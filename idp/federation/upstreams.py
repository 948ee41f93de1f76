"""Which upstreams there are, and what each may do: from the table, and Google from the environment. The only writer of the table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from idp.accounts.attributes import attributes
from idp.events import catalogue, emit
from idp.events.changes import diff
from idp.kernel import clock, generations, outbound, sealing

from .models import UpstreamRow

GENERATION = "upstreams"
GOOGLE = "google"
WELL_KNOWN = "/.well-known/openid-configuration"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_SECRET_PURPOSE = "idp.federation.upstream"
REFRESH = ("unedited", "never")
AUTH_METHODS = ("", "client_secret_basic", "client_secret_post", "none")
# Not what needs a proof of its own, nor what belongs to the account.
UNMAPPABLE = frozenset({"phone_number", "phone_number_verified", "preferred_username"})
USUAL_MAPPING = {name: name for name in ("name", "given_name", "family_name", "picture", "locale")}


class Invalid(ValueError):
    """An upstream cannot be configured like this. The text names the member and the rule, never a secret."""

    def __init__(self, member: str, rule: str) -> None:
        super().__init__(f"{member} {rule}")
        self.member = member


@dataclass(frozen=True, slots=True)
class Options:
    """What is chosen per upstream, beside who it is.

    `domains`: e-mail domains whose people are led there. `audiences`: further client ids whose ID tokens may be posted (mobile apps).
    `trusted_acr`: values of its `acr` or `amr` that count as two factors; none unless named. `mapping`: our claim to its claim.
    """

    button: bool = True
    signup: bool = True
    trust_email: bool = True
    posted_tokens: bool = False
    logout: bool = False
    refresh: str = "unedited"
    auth_method: str = ""
    domains: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    trusted_acr: tuple[str, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=lambda: dict(USUAL_MAPPING))


@dataclass(frozen=True, slots=True)
class Upstream:
    """One upstream provider. Immutable, cached per process, read anew when one changes."""

    name: str
    label: str
    kind: str
    issuer: str
    client_id: str
    secret_sealed: str = ""
    enabled: bool = True
    options: Options = field(default_factory=Options)
    from_environment: bool = False

    @property
    def is_google(self) -> bool:
        return self.kind == UpstreamRow.Kind.GOOGLE

    @property
    def secret(self) -> str:
        """The client secret, or an empty text. Raises SealBroken when its key is gone."""
        if self.from_environment:
            return str(settings.IDP.google_client_secret.get_secret_value())
        return sealing.unseal(self.secret_sealed, purpose=f"{_SECRET_PURPOSE}:{self.name}").decode() if self.secret_sealed else ""

    @property
    def callback(self) -> str:
        """Where the upstream sends the browser back to: register it there. Never made from what a request says."""
        return f"{settings.IDP.issuer}/federation/{self.name}/callback"

    @property
    def issuers(self) -> tuple[str, ...]:
        """What `iss` may say. Google documents both spellings of its own."""
        host = self.issuer.removeprefix("https://")
        return (self.issuer, host) if self.is_google and host == "accounts.google.com" else (self.issuer,)

    def described(self) -> dict[str, Any]:
        """For operators: everything but the secret."""
        return {
            "name": self.name,
            "label": self.label,
            "kind": str(self.kind),
            "issuer": self.issuer,
            "client_id": self.client_id,
            "has_secret": bool(self.secret_sealed) or self.from_environment,
            "enabled": self.enabled,
            "redirect_uri": self.callback,
            **{name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self.options).items()},
        }


EXAMPLE = Upstream(name="example", label="", kind=UpstreamRow.Kind.OIDC, issuer="", client_id="")  # what a new one starts with

_cache: tuple[int, dict[str, Upstream]] | None = None


def everything() -> dict[str, Upstream]:
    """Every upstream by its name, Google first, then by label. Costs a query only after a change."""
    global _cache
    number = generations.current(GENERATION)
    if _cache is None or _cache[0] != number:
        rows = [of_row(row) for row in UpstreamRow.objects.order_by("label", "name")]
        _cache = (number, {upstream.name: upstream for upstream in sorted(rows, key=lambda one: not one.is_google)})
    found = _cache[1]
    google = _from_environment()
    return found if google is None else {GOOGLE: google, **{name: one for name, one in found.items() if name != GOOGLE}}


def find(name: str) -> Upstream | None:
    """The upstream if it is switched on; asked at every step, so that switching off works in the middle of one (hostile case GL-12)."""
    upstream = everything().get(name)
    return upstream if upstream is not None and upstream.enabled else None


def offered(allowed: Iterable[str] | None = None) -> list[Upstream]:
    """Those that may be used now; `allowed` are the names that the app chose, None = it chose nothing."""
    names = None if allowed is None else set(allowed)
    return [one for one in everything().values() if one.enabled and (names is None or one.name in names)]


def home_of(address: str, allowed: Iterable[str] | None = None) -> Upstream | None:
    """The upstream that people with this e-mail address sign in at, by its domain."""
    domain = address.rpartition("@")[2].strip().lower()
    return next((one for one in offered(allowed) if domain and domain in one.options.domains), None)


def add(*, name: str, issuer: str, client_id: str, secret: str, by: UUID | None = None, **members: Any) -> Upstream:
    """A new upstream. `members` are `label`, `kind`, `enabled` and those of Options. Raises Invalid."""
    if not NAME.fullmatch(name):
        raise Invalid("name", "must be 1 to 40 small letters, digits and hyphens")
    row = UpstreamRow(name=name)
    with transaction.atomic():
        _change(row, {"issuer": issuer, "client_id": client_id, "label": name.capitalize(), **members})
        _set_secret(row, secret)
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise Invalid("name", "is taken") from None
        emit(catalogue.UpstreamAdded(upstream=name), by=by, changes=diff({}, of_row(row).described()))
        generations.bump(GENERATION)
    return of_row(row)


def update(name: str, *, secret: str | None = None, by: UUID | None = None, **members: Any) -> Upstream:
    """Change the named members; a `secret` replaces the former one, and must come with another issuer. Raises Invalid."""
    with transaction.atomic():
        row = UpstreamRow.objects.select_for_update().filter(name=name).first()
        if row is None:
            raise Invalid("name", "is not known")
        before = of_row(row).described()
        _change(row, members)
        if secret is not None:
            _set_secret(row, secret)
        elif row.secret_sealed and row.issuer != before["issuer"]:
            # A secret that nobody can read is not sent to whatever address somebody writes beside it.
            raise Invalid("secret", "must be given again when the issuer changes")
        row.updated_at = clock.now()
        row.save()
        after = of_row(row).described()
        changed = [member for member, value in after.items() if before[member] != value] + (["secret"] if secret is not None else [])
        if changed:
            replaced = {} if secret is None else diff({"secret": 1}, {"secret": 2})
            emit(catalogue.UpstreamUpdated(upstream=name, members=tuple(changed)), by=by, changes=diff(before, after) | replaced)
        generations.bump(GENERATION)
    return of_row(row)


def remove(name: str, *, by: UUID | None = None) -> int:
    """Take an upstream away, with every link to it that no other one serves; returns how many links went. Raises Invalid."""
    from . import allauth

    with transaction.atomic():
        row = UpstreamRow.objects.select_for_update().filter(name=name).first()
        if row is None:
            raise Invalid("name", "is not known")
        before = of_row(row).described()
        row.delete()
        google = _from_environment()
        served = UpstreamRow.objects.filter(issuer=row.issuer).exists() or (google is not None and google.issuer == row.issuer)
        links = 0 if served else allauth.delete_all(row.issuer)
        emit(catalogue.UpstreamRemoved(upstream=name, links=links), by=by, changes=diff(before, {}))
        generations.bump(GENERATION)
    return links


def _from_environment() -> Upstream | None:
    env = settings.IDP
    if not env.google_client_id:
        return None
    return Upstream(
        name=GOOGLE,
        label="Google",
        kind=UpstreamRow.Kind.GOOGLE,
        issuer=env.google_issuer,
        client_id=env.google_client_id,
        options=Options(posted_tokens=True, audiences=env.google_audiences),
        from_environment=True,
    )


def of_row(row: UpstreamRow) -> Upstream:
    """The upstream that is stored in `row`."""
    known = {one.name for one in fields(Options)}
    stored: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in row.options.items() if name in known
    }
    return Upstream(row.name, row.label, row.kind, row.issuer, row.client_id, row.secret_sealed, row.enabled, Options(**stored))


def _set_secret(row: UpstreamRow, secret: str) -> None:
    if len(secret) > 4096 or not secret.isprintable():
        raise Invalid("secret", "must be one printable line")
    row.secret_sealed = sealing.seal(secret.encode(), purpose=f"{_SECRET_PURPOSE}:{row.name}") if secret else ""


def _change(row: UpstreamRow, members: Mapping[str, Any]) -> None:
    options = dict(row.options)
    for member, value in members.items():
        check = _MEMBERS.get(member)
        if check is None:
            raise Invalid(member, "is not a member of an upstream")
        clean = check(member, value)
        if member in _COLUMNS:
            setattr(row, member, clean)
        else:
            options[member] = list(clean) if isinstance(clean, tuple) else clean
    row.options = options


def _text(longest: int) -> Any:
    def check(member: str, value: Any) -> str:
        if not isinstance(value, str) or not 1 <= len(value.strip()) <= longest or not value.isprintable():
            raise Invalid(member, f"must be a text of 1 to {longest} characters")
        return value.strip()

    return check


def _issuer(member: str, value: Any) -> str:
    """OpenID Connect Discovery 3: an https address without query or fragment; its discovery document's address is taken for it."""
    text = _text(200)(member, value).removesuffix(WELL_KNOWN)
    try:
        parts = urlsplit(text)
        outbound.check_syntax(text)
    except (ValueError, outbound.OutboundError):
        raise Invalid(member, "must be an https address that this provider may reach") from None
    if "?" in text or "#" in text or not parts.hostname:
        raise Invalid(member, "must have neither query nor fragment")
    return str(text)


def _flag(member: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid(member, "must be true or false")
    return value


def _one_of(*allowed: str) -> Any:
    def check(member: str, value: Any) -> str:
        if value not in allowed:
            raise Invalid(member, "must be one of: " + ", ".join(one or "(empty)" for one in allowed))
        return str(value)

    return check


def _texts(pattern: str, rule: str) -> Any:
    compiled = re.compile(pattern)

    def check(member: str, value: Any) -> tuple[str, ...]:
        if (
            not isinstance(value, list | tuple)
            or len(value) > 50
            or not all(isinstance(one, str) and compiled.fullmatch(one) for one in value)
        ):
            raise Invalid(member, f"must hold at most 50 {rule}")
        return tuple(dict.fromkeys(value))

    return check


def _mapping(member: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(theirs, str) and 1 <= len(theirs) <= 100 for theirs in value.values()):
        raise Invalid(member, "must give for each claim of ours the name of a claim of theirs")
    mappable = [name for name in attributes() if name not in UNMAPPABLE]
    if not set(value).issubset(mappable):
        raise Invalid(member, "may only fill: " + ", ".join(mappable))
    return dict(value)


_COLUMNS = {"label", "kind", "issuer", "client_id", "enabled"}
_MEMBERS: dict[str, Any] = {
    "label": _text(60),
    "kind": _one_of("oidc", "google"),
    "issuer": _issuer,
    "client_id": _text(255),
    "enabled": _flag,
    "button": _flag,
    "signup": _flag,
    "trust_email": _flag,
    "posted_tokens": _flag,
    "logout": _flag,
    "refresh": _one_of(*REFRESH),
    "auth_method": _one_of(*AUTH_METHODS),
    "domains": _texts(_DOMAIN.pattern, "domains such as example.org, in small letters"),
    "audiences": _texts(r"[\x21-\x7e]{1,255}", "client ids"),
    "trusted_acr": _texts(r"[\x21-\x7e]{1,200}", "values without spaces"),
    "mapping": _mapping,
}
