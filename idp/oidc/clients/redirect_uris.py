"""Which redirect URIs may be registered, and the loopback rule."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext_noop

MAX_CHARACTERS = 2000
LOOPBACK_LITERALS = ("127.0.0.1", "::1")
LOOPBACK_HOSTS = (*LOOPBACK_LITERALS, "localhost")
# Schemes that a browser runs or reads instead of visiting (RFC 9700 4.1, hostile case RU-13).
DANGEROUS_SCHEMES = {"javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source", "ws", "wss", "ftp"}
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#$&'()+,./0-9:;=?@A-Z\[\]_a-z~%-]*")


def problem(uri: str, *, application_type: str) -> str | None:
    """Why `uri` may not be registered as a redirect URI, None = it may: English words for a protocol answer, which pages translate."""
    if len(uri) > MAX_CHARACTERS:
        return gettext_noop("is longer than 2000 characters")
    if not _URI.fullmatch(uri):
        return gettext_noop(
            "is not an absolute URI in ASCII without spaces, wildcards or backslashes (write international hosts as A-labels)"
        )
    if "#" in uri:
        return gettext_noop("has a fragment (RFC 6749 3.1.2)")
    try:
        parts = urlsplit(uri)
        host, port, scheme = parts.hostname or "", parts.port, parts.scheme
    except ValueError:
        return gettext_noop("is not a valid URI")
    if scheme in DANGEROUS_SCHEMES:
        return gettext_noop("uses a scheme that runs or reads instead of visiting")
    if parts.username is not None or parts.password is not None:
        return gettext_noop("holds a user name or password")
    if scheme in ("http", "https"):
        return _web_problem(scheme, host, port, parts.netloc, parts.path)
    if application_type != "native":
        return gettext_noop("uses a private scheme: only native apps may (RFC 8252 7.1)")
    if "." not in scheme:
        return gettext_noop("uses a private scheme without a dot: use a reversed domain name (RFC 8252 7.1)")
    if parts.netloc:
        return gettext_noop("has an authority: private-use schemes are written scheme:/path (RFC 8252 7.1)")
    return None


def _web_problem(scheme: str, host: str, port: int | None, netloc: str, path: str) -> str | None:
    if not host:
        return gettext_noop("has no host")
    if scheme == "http" and host not in LOOPBACK_HOSTS:
        return gettext_noop("is plain http; only loopback addresses may be")
    if netloc != netloc.lower():
        return gettext_noop("has capital letters in its host: browsers send it in small letters")
    issuer = urlsplit(settings.IDP.issuer)
    same_origin = (scheme, host, port or _default_port(scheme)) == (
        issuer.scheme,
        issuer.hostname,
        issuer.port or _default_port(issuer.scheme),
    )
    # RFC 9700 4.11.2: the provider's own origin would make it an open redirector to itself. The development playground is ours.
    if same_origin and not (settings.IDP.development and path.startswith("/playground/")):
        return gettext_noop("is on the provider's own origin")
    return None


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def loopback_without_port(uri: str) -> str | None:
    """`uri` without its port if it is http on a loopback literal (RFC 8252 7.3), else None."""
    match = re.fullmatch(r"http://(127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?((?:/|\?).*)?", uri)
    if match is None or "#" in uri or (match[2] and int(match[2]) > 65535):
        return None
    return f"http://{match[1]}{match[3] or ''}"
