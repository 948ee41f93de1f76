"""Signing out at the upstream too, when it can and the operator wants it (OpenID Connect RP-Initiated Logout 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing

from idp.kernel import sealing

from . import documents, reach, upstreams
from .reach import Unreachable

if TYPE_CHECKING:
    from django.http import HttpRequest

    from idp.accounts.models import User

    from .upstreams import Upstream

KEY = "upstream_session"
RETURN_PATH = "/logout/upstream"
_PURPOSE = "idp.federation.id_token_hint"
_SALT = "idp.federation.sign_out"


def keep(request: HttpRequest, user: User, upstream: Upstream, id_token: str) -> None:
    """Remember, for as long as this session lives, what the upstream wants to be shown when it ends. Sealed; nobody can sign in with it.

    It is of this `user`: the sign-in may still stand before its second step, and end in somebody else's.
    """
    if id_token:
        sealed = sealing.seal(id_token.encode(), purpose=_PURPOSE)
        request.session[KEY] = {"person": str(user.pk), "upstream": upstream.name, "hint": sealed}
    else:
        request.session.pop(KEY, None)


def address(request: HttpRequest, *, then: str) -> str | None:
    """Where to send the browser so that the upstream ends its session too, and then `then`; None when there is nothing to end there.

    Call it before the session here ends. An upstream that cannot be reached keeps nobody signed in here.
    """
    kept = request.session.get(KEY)
    if not isinstance(kept, dict) or kept.get("person") != str(request.user.pk):
        return None
    upstream = upstreams.find(str(kept.get("upstream")))
    if upstream is None or not upstream.options.logout:
        return None
    try:
        with reach.in_time(2):
            endpoint = documents.metadata(upstream).end_session_endpoint
        hint = sealing.unseal(str(kept.get("hint")), purpose=_PURPOSE).decode()
    except (Unreachable, sealing.SealBroken):
        return None
    if not endpoint:
        return None
    query = urlencode(
        {
            "id_token_hint": hint,
            "client_id": upstream.client_id,
            "post_logout_redirect_uri": settings.IDP.issuer + RETURN_PATH,
            "state": signing.dumps(then, salt=_SALT, compress=True),
        }
    )
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"


def returned(state: str) -> str | None:
    """Where the browser was to go after the upstream, from the `state` that came back; None when it is not ours or an hour old."""
    try:
        then = signing.loads(state, salt=_SALT, max_age=3600)
    except signing.BadSignature:
        return None
    return then if isinstance(then, str) else None
