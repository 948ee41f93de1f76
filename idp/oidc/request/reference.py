"""A request object behind `request_uri`: fetched from a registered place, kept when the address names its content.

Spec: OpenID Connect Core 6.2.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict

from idp.kernel import jose, outbound
from idp.oidc.clients.policy import ClientPolicy
from idp.oidc.protocol import refusals
from idp.oidc.protocol.errors import OAuthError

MAX_REQUEST_URI = 512  # OIDC Core 6.2
KEEP_SECONDS = 3600.0
MOST_KEPT, MOST_KEPT_CHARACTERS = 500, 16 * 1024

_lock = threading.Lock()
_kept: OrderedDict[tuple[int, str], tuple[float, str]] = OrderedDict()  # (client, whole address) to (until, token), oldest first


def fetch(client: ClientPolicy, uri: str) -> str:
    """The JWT at `uri`, by the SSRF-safe client or from memory. Raises OAuthError.

    OIDC Core 6.2: a fragment that is the base64url SHA-256 of the content says that the content cannot change; only then it is kept.
    """
    # Only registered locations, as registered; the fragment is part of what is compared, never of what is fetched.
    if len(uri) > MAX_REQUEST_URI or uri not in client.request_uris:
        raise OAuthError(refusals.REQUEST_URI_INVALID, "not registered")
    key = (client.pk, uri)
    with _lock:
        until, token = _kept.get(key, (0.0, ""))
    if until > time.monotonic():
        return token
    address, _, fragment = uri.partition("#")
    try:
        answer = outbound.fetch(address, headers={"accept": "application/oauth-authz-req+jwt, application/jwt"})
        if answer.status != 200:
            raise OAuthError(refusals.REQUEST_URI_INVALID, f"status {answer.status}")
        token = answer.body.decode("ascii").strip()
    except outbound.OutboundError as error:
        raise OAuthError(refusals.REQUEST_URI_INVALID, str(error)) from None
    except UnicodeDecodeError:
        raise OAuthError(refusals.REQUEST_OBJECT_INVALID, "not a JWT") from None
    if fragment == jose.b64encode(hashlib.sha256(answer.body).digest()) and len(token) <= MOST_KEPT_CHARACTERS:
        with _lock:
            _kept[key] = (time.monotonic() + KEEP_SECONDS, token)
            while len(_kept) > MOST_KEPT:
                _kept.popitem(last=False)
    return token
