"""Refuses to start on missing, weak or contradictory settings, naming the variable (ASVS 13.4.2)."""

from __future__ import annotations

import base64
import binascii
import json
import math
import os
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from pydantic import SecretStr, ValidationError

from .environment import Environment

WEAK_WORDS = ("changeme", "change-me", "insecure", "example", "secret", "password", "default", "kairos")
SIGN_IN_METHODS = ("password", "email_code", "magic_link", "sms_code")
KNOWN_ELSEWHERE = {"IDP_ENV_FILE"}


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Names of `IDP_*` variables that no setting declares: most often a typing mistake."""
    known = {f"IDP_{name}".upper() for name in Environment.model_fields} | KNOWN_ELSEWHERE
    return sorted(name for name in environ if name.startswith("IDP_") and name not in known)


def shannon_bits(text: str) -> float:
    """Shannon estimate of the whole text, in bits."""
    counts = Counter(text)
    return -sum(n * math.log2(n / len(text)) for n in counts.values()) if text else 0.0


def parse_sealing_keys(value: str) -> dict[str, bytes]:
    """`id:base64url,…` to an ordered mapping; raises ValueError with a reason that holds no key material."""
    keys: dict[str, bytes] = {}
    for position, part in enumerate(filter(None, (p.strip() for p in value.split(","))), start=1):
        key_id, _, encoded = part.partition(":")
        if not key_id.isalnum() or not encoded:
            raise ValueError(f"entry {position} is not of the form id:base64url")
        try:
            raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except (binascii.Error, ValueError):
            raise ValueError(f"entry {position} is not base64url") from None
        if len(raw) != 32:
            raise ValueError(f"entry {position} holds {len(raw)} bytes instead of 32")
        if len(set(raw)) < 12:
            raise ValueError(f"entry {position} is not random")
        if key_id in keys:
            raise ValueError(f"entry {position} repeats an id")
        keys[key_id] = raw
    return keys


def problems(env: Environment, environ: Mapping[str, str]) -> list[str]:
    """Everything that must be mended before this process may start, one sentence each."""
    found = [f"{name} is not a setting of Kairos ID: check the spelling." for name in unknown_variables(environ)]
    try:
        keys = parse_sealing_keys(env.sealing_keys.get_secret_value())
    except ValueError as error:
        found.append(f"IDP_SEALING_KEYS is malformed: {error}.")
    else:
        if not keys:
            found.append("IDP_SEALING_KEYS is missing: set id:base64url(32 random bytes).")
    found += _secret_key_problems(env)
    found += _issuer_problems(env)
    found += _network_problems(env)
    found += _sms_problems(env)
    found += _agent_problems(env)
    found += _passkey_problems(env)
    found += _sign_in_problems(env)
    if bool(env.google_client_id) != bool(env.google_client_secret.get_secret_value()):
        found.append("IDP_GOOGLE_CLIENT_ID and IDP_GOOGLE_CLIENT_SECRET go together: set both, or neither.")
    if env.google_client_id and not env.google_issuer.startswith(("https://", "http://")):
        found.append("IDP_GOOGLE_ISSUER must be an address such as https://accounts.google.com: correct it, or leave it out.")
    if not env.development:
        if env.staff_second_step == "optional":
            found.append("IDP_STAFF_SECOND_STEP is optional: in production the staff console always wants a second step.")
        if not env.database_url.get_secret_value().startswith(("postgresql://", "postgres://")):
            found.append("IDP_DATABASE_URL is missing or not postgresql://: production keeps its data in PostgreSQL.")
        if not env.redis_url.get_secret_value():
            found.append("IDP_REDIS_URL is missing: production runs web, worker and beat as separate processes.")
        if not env.email_url.get_secret_value().startswith(("smtp://", "smtp+tls://", "smtps://")):
            found.append("IDP_EMAIL_URL is missing or not an SMTP address: people could never verify their address.")
        if env.pkce_optional:
            found.append("IDP_PKCE_OPTIONAL is for conformance runs in development only: remove it (RFC 9700 2.1.1).")
    return found


def _network_problems(env: Environment) -> list[str]:
    found = []
    if not all(_is_network(proxy) for proxy in env.trusted_proxies):
        found.append("IDP_TRUSTED_PROXIES holds something that is neither an IP address nor a CIDR: correct it.")
    if not all(
        _is_network(entry.strip("[]")) or re.fullmatch(r"[\w.-]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\]:\d{1,5}", entry)
        for entry in env.outbound_allow
    ):
        found.append("IDP_OUTBOUND_ALLOW holds something that is neither host, host:port nor CIDR: correct it.")
    if env.outbound_ca_file is not None and not env.outbound_ca_file.is_file():
        found.append("IDP_OUTBOUND_CA_FILE cannot be read: set the path of a PEM file.")
    return found


def _sms_problems(env: Environment) -> list[str]:
    url = env.sms_url.get_secret_value()
    found = []
    if url and not url.startswith(("https://", "http://")) and not (env.development and url == "inbox:"):
        found.append("IDP_SMS_URL is not the address of a gateway: set https://…, or leave it empty.")
    try:
        fields = json.loads(env.sms_fields)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not fields or not all(isinstance(value, str | int | bool) for value in fields.values()):
        found.append("IDP_SMS_FIELDS is not a JSON object of texts: correct it.")
    if not all(re.fullmatch(r"\+[1-9][0-9]{0,14}", prefix) for prefix in env.sms_prefixes):
        found.append("IDP_SMS_PREFIXES holds something that does not look like +49: correct it.")
    return found


def _agent_problems(env: Environment) -> list[str]:
    if not env.agent_url:
        return []
    found = []
    parts = urlsplit(env.agent_url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query or parts.fragment:
        found.append("IDP_AGENT_URL is not an http or https address without user, query and fragment: correct it.")
    keys = [key.strip() for key in env.agent_secret.get_secret_value().split(",") if key.strip()]
    if not keys or not all(_is_signing_key(key) for key in keys):
        found.append("IDP_AGENT_SECRET must be whsec_ followed by base64 of 24 to 64 random bytes: set it, the Agent checks signatures.")
    return found


def _is_signing_key(text: str) -> bool:
    try:
        return text.startswith("whsec_") and 24 <= len(base64.b64decode(text.removeprefix("whsec_"), validate=True)) <= 64
    except (binascii.Error, ValueError):
        return False


def _passkey_problems(env: Environment) -> list[str]:
    found = []
    rp_id, host = env.passkey_rp_id, env.issuer_host
    # WebAuthn L3 5.1.3 step 8: the RP ID is the page's host or a domain above it, never a public suffix; else only a related origin helps.
    if rp_id and (not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", rp_id) or (rp_id != host and "." not in rp_id)):
        found.append("IDP_PASSKEY_RP_ID must be a domain such as your-domain.org, in small letters.")
    elif rp_id and rp_id != host and not host.endswith(f".{rp_id}") and env.issuer not in env.passkey_origins:
        found.append("IDP_PASSKEY_RP_ID is not the host of IDP_ISSUER nor a domain above it: name the issuer in IDP_PASSKEY_ORIGINS too.")
    if not all(_is_origin(origin, development=env.development) for origin in env.passkey_origins):
        found.append("IDP_PASSKEY_ORIGINS must hold origins such as https://www.your-domain, without path.")
    if env.passkey_metadata_file is not None and not env.passkey_metadata_file.is_file():
        found.append("IDP_PASSKEY_METADATA_FILE cannot be read: set the path of a FIDO metadata file.")
    elif env.passkey_attestation != "none" and env.passkey_metadata_file is None:
        found.append("IDP_PASSKEY_ATTESTATION needs IDP_PASSKEY_METADATA_FILE: without it no make can be trusted.")
    return found


def _is_origin(text: str, *, development: bool) -> bool:
    parts = urlsplit(text)
    schemes = ("https", "http") if development else ("https",)
    return parts.scheme in schemes and bool(parts.hostname) and text == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc


def _sign_in_problems(env: Environment) -> list[str]:
    found = []
    if env.breached_passwords_file is not None and not env.breached_passwords_file.is_file():
        found.append("IDP_BREACHED_PASSWORDS_FILE cannot be read: make it by `manage.py breached_passwords build`, or leave it empty.")
    if 0 < env.lost_factor_hours < 24:
        found.append("IDP_LOST_FACTOR_HOURS is shorter than a day: set 24 or more, or 0 (NIST SP 800-63B-4 4.2.2).")
    if not _is_firebase(env.firebase_scrypt.get_secret_value()):
        found.append("IDP_FIREBASE_SCRYPT is malformed: set signer_key=…,salt_separator=…,rounds=8,mem_cost=14.")
    if not env.sign_in_methods or set(env.sign_in_methods) - set(SIGN_IN_METHODS):
        found.append(f"IDP_SIGN_IN_METHODS knows only {', '.join(SIGN_IN_METHODS)}: name at least one.")
    if not env.sms_url.get_secret_value() and (env.signup_with != "email" or "sms_code" in env.sign_in_methods):
        found.append("IDP_SMS_URL is missing: IDP_SIGNUP_WITH and IDP_SIGN_IN_METHODS speak of phones, so set it.")
    return found


def _is_firebase(text: str) -> bool:
    try:
        parts = dict(part.split("=", 1) for part in text.split(",") if part.strip())
        base64.b64decode(parts.get("signer_key", ""), validate=True)
        return not text or (bool(parts["signer_key"]) and int(parts.get("rounds", "8")) <= 8 and int(parts.get("mem_cost", "14")) <= 17)
    except (ValueError, KeyError):
        return False


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _secret_key_problems(env: Environment) -> list[str]:
    key = env.secret_key.get_secret_value()
    if not key:
        return ["IDP_SECRET_KEY is missing: set at least 50 random characters."]
    if len(key) < 50 or len(set(key)) < 10 or shannon_bits(key) < 128:
        return ["IDP_SECRET_KEY is weak: set at least 50 random characters."]
    if any(word in key.lower() for word in WEAK_WORDS):
        return ["IDP_SECRET_KEY looks like a default or an example: set at least 50 random characters."]
    return []


def _issuer_problems(env: Environment) -> list[str]:
    if not env.issuer:
        return ["IDP_ISSUER is missing: set the public origin of this provider, for example https://id.your-domain."]
    parts = urlsplit(env.issuer)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or parts.username or parts.path:
        return ["IDP_ISSUER must be an origin such as https://id.your-domain, without path, query or fragment."]
    if parts.scheme == "http" and (not env.development or parts.hostname not in ("localhost", "127.0.0.1", "::1")):
        return ["IDP_ISSUER must be https; plain http is for development on localhost only."]
    return []


class SettingsRefused(ImproperlyConfigured):
    """The process may not start; `problems` holds one sentence per reason, which names variables and shows no value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("Kairos ID refuses to start:\n  - " + "\n  - ".join(problems))
        self.problems = problems


def load() -> Environment:
    """The settings of this process. Raises SettingsRefused."""
    try:
        env = with_development_defaults(Environment())
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        raise SettingsRefused([f"IDP_{str(detail['loc'][0]).upper()} is wrong: {detail['msg']}." for detail in details]) from None
    refuse_unsafe(env)
    return env


def refuse_unsafe(env: Environment) -> None:
    """Raise SettingsRefused that lists every problem."""
    found = problems(env, os.environ)
    if found:
        raise SettingsRefused(found)


def with_development_defaults(env: Environment) -> Environment:
    """In development, fill what is missing: an issuer on localhost and secrets kept in the data folder."""
    if not env.development:
        return env
    filled: dict[str, object] = {}
    if not env.issuer:
        filled["issuer"] = f"http://localhost:{os.environ.get('PORT', '8000')}"
    if not env.email_url.get_secret_value():
        filled["email_url"] = SecretStr("inbox:")
    if not env.sms_url.get_secret_value():
        filled["sms_url"] = SecretStr("inbox:")
    if not env.secret_key.get_secret_value() or not env.sealing_keys.get_secret_value():
        generated = _development_secrets(env.data_dir)
        filled.setdefault("secret_key", env.secret_key if env.secret_key.get_secret_value() else SecretStr(generated["IDP_SECRET_KEY"]))
        filled.setdefault(
            "sealing_keys", env.sealing_keys if env.sealing_keys.get_secret_value() else SecretStr(generated["IDP_SEALING_KEYS"])
        )
    return env.model_copy(update=filled)


def _development_secrets(data_dir: Path) -> dict[str, str]:
    path = data_dir / "secrets.env"
    data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        sealing = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        text = f"IDP_SECRET_KEY={secrets.token_hex(40)}\nIDP_SEALING_KEYS=dev1:{sealing}\n"
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(text)
        try:
            os.link(temporary, path)  # fails when another process was first: then its file counts
        except FileExistsError:
            pass
        temporary.unlink()
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
