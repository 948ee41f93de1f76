"""The round trip of a browser to an upstream and back: what is sent, what must come back, once, to the browser that left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from idp.interactions import browser
from idp.kernel import clock, sealing
from idp.kernel.ids import digest, secret_token

from . import allauth, documents, id_token, identity, reach, upstreams
from .identity import Identity
from .models import Challenge
from .reach import Unreachable

if TYPE_CHECKING:
    from django.http import HttpRequest

    from idp.accounts.models import User

    from .documents import Metadata
    from .upstreams import Upstream

LIFE = timedelta(minutes=15)
LONGEST = 4096  # characters of an answer's parameter
_PURPOSE = "idp.federation.verifier"


class Failed(Exception):
    """The round trip did not end in an identity; `reason` is a word of ours for the event log and for the page's sentence.

    "cancelled": the person said no there. "lost": not an answer to a question of this browser, or one too many. "off": switched off
    meanwhile. "unreachable": it did not answer properly in time. "refused": what it said is not believed. "stale": it did not ask the
    person again.
    """

    def __init__(self, reason: str, detail: str = "", *, continue_to: str = "", upstream: str = "") -> None:
        super().__init__(detail or reason)
        self.reason, self.continue_to, self.upstream = reason, continue_to, upstream


@dataclass(frozen=True, slots=True)
class Returned:
    """Somebody came back who is known to the upstream. `id_token` is for signing out there, empty when that is not wanted."""

    upstream: Upstream
    identity: Identity
    challenge: Challenge
    id_token: str


def begin(
    request: HttpRequest,
    upstream: Upstream,
    *,
    continue_to: str,
    client_id: str | None = None,
    login_hint: str = "",
    link_to: User | None = None,
    again: User | None = None,
    afresh: bool = False,
) -> str:
    """The upstream's address for this browser to go to. The answer must pass through `interactions.browser.remember`.

    `link_to`: what comes back is to be linked to this person, who is signed in. `again`: only this person, signed in too, may come back.
    `afresh`: whoever it is, they are to prove themselves there again.
    Raises Unreachable.
    """
    with reach.in_time():
        metadata = documents.metadata(upstream)
    verifier, proof = allauth.pkce()
    state, nonce = secret_token(32), secret_token(24)
    moment = clock.now()
    Challenge(
        digest=digest(state),
        purpose=Challenge.Purpose.LINK if link_to is not None else Challenge.Purpose.SIGN_IN,
        upstream=upstream.name,
        browser=browser.ensure(request),
        client_id=client_id,
        nonce=nonce,
        verifier_sealed=sealing.seal(verifier.encode(), purpose=_PURPOSE),
        user=link_to or again,
        continue_to=continue_to,
        afresh=afresh,
        created_at=moment,
        expires_at=moment + LIFE,
    ).save(force_insert=True)
    extra = {"nonce": nonce, **proof}
    if login_hint:
        extra["login_hint"] = login_hint
    if link_to is not None:
        extra["prompt"] = "select_account"
    if afresh:
        extra |= {"prompt": "login", "max_age": "0"}
    return allauth.authorization_url(request, upstream, metadata, state=state, extra=extra)


def finish(request: HttpRequest, name: str, answer: Mapping[str, str]) -> Returned:
    """Who came back with this answer to the callback of the upstream `name`. Raises Failed.

    First the state is spent, in one statement that binds it to upstream and browser; only then anything is believed or fetched
    (hostile cases GL-07, RC-05; RFC 9700 4.4).
    """
    challenge = _claim(request, name, answer.get("state", ""))
    if challenge is None:
        raise Failed("lost", upstream=name)
    where: dict[str, Any] = {"continue_to": challenge.continue_to, "upstream": name}
    upstream = upstreams.find(name)
    if upstream is None:
        raise Failed("off", **where)
    if "error" in answer:
        raise Failed("cancelled" if answer["error"] == "access_denied" else "refused", "error answer", **where)
    code = answer.get("code", "")
    if not 1 <= len(code) <= LONGEST:
        raise Failed("refused", "code is missing", **where)
    try:
        with reach.in_time():
            return _redeemed(request, upstream, challenge, code=code, issuer=answer.get("iss"))
    except Unreachable as error:
        raise Failed("unreachable", str(error), **where) from None
    except id_token.Refused as error:
        raise Failed("refused", str(error), **where) from None
    except sealing.SealBroken:
        raise Failed("lost", **where) from None


def _claim(request: HttpRequest, name: str, state: str) -> Challenge | None:
    own = browser.known(request)
    if own is None or not 1 <= len(state) <= 200:
        return None
    moment = clock.now()
    open_ones = Challenge.objects.filter(
        digest=digest(state), upstream=name, browser=own, used_at=None, expires_at__gt=moment, purpose__in=("sign_in", "link")
    )
    if open_ones.update(used_at=moment) != 1:
        return None
    return Challenge.objects.select_related("user").get(digest=digest(state))


def _redeemed(request: HttpRequest, upstream: Upstream, challenge: Challenge, *, code: str, issuer: str | None) -> Returned:
    metadata = documents.metadata(upstream)
    # RFC 9207 2.4: which server answered; checked when it is there, and wanted when the server promised it.
    if (issuer is not None or metadata.sends_issuer) and issuer != upstream.issuer:
        raise id_token.Refused("iss of the answer")
    verifier = sealing.unseal(challenge.verifier_sealed, purpose=_PURPOSE).decode()
    answer = allauth.redeem(request, upstream, metadata, code=code, verifier=verifier)
    token, access_token = answer.get("id_token"), answer.get("access_token")
    if not isinstance(token, str) or not isinstance(access_token, str):
        raise id_token.Refused("the answer holds no ID token")
    claims = id_token.check(token, upstream, nonce=challenge.nonce, audiences=(upstream.client_id,), access_token=access_token)
    if challenge.afresh and id_token.authenticated_before(claims, challenge.created_at):
        raise Failed("stale", continue_to=challenge.continue_to, upstream=upstream.name)
    told = _together(claims, _user_info(upstream, metadata, claims, access_token))
    kept = token if upstream.options.logout and metadata.end_session_endpoint else ""
    return Returned(upstream, identity.read(upstream, told), challenge, kept)


def _user_info(upstream: Upstream, metadata: Metadata, claims: Mapping[str, Any], access_token: str) -> dict[str, Any]:
    """What the ID token leaves out (Core 5.3, 5.4). An upstream whose UserInfo fails still signs people in."""
    wanted = {"email", *upstream.options.mapping.values()}
    if not metadata.userinfo_endpoint or wanted.issubset(claims) or (upstream.is_google and "email" in claims):
        return {}
    if len(access_token) > LONGEST or not access_token.isascii() or not access_token.isprintable():
        return {}
    try:
        found = reach.json_object(reach.fetch(metadata.userinfo_endpoint, headers={"authorization": f"Bearer {access_token}"}))
    except Unreachable:
        return {}
    # Core 5.3.2: without the same sub the answer must not be used.
    return found if found.get("sub") == claims["sub"] else {}


def _together(claims: Mapping[str, Any], user_info: Mapping[str, Any]) -> dict[str, Any]:
    """What ID token and UserInfo say; the signed one counts, and how the person signed in is said by that one only."""
    told = {**user_info, **claims, "acr": claims.get("acr"), "amr": claims.get("amr")}
    if claims.get("email") != user_info.get("email"):  # whether an address is verified is said where that address is
        told["email_verified"] = (claims if "email" in claims else user_info).get("email_verified")
    return told


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of challenges that are over; returns how many."""
    old = list(Challenge.objects.filter(expires_at__lt=clock.now() - LIFE).values_list("pk", flat=True)[:limit])
    return Challenge.objects.filter(pk__in=old).delete()[0] if old else 0
