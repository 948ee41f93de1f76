"""The browser session of the provider: sid, auth_time, acr, amr; begun by signing in, ended by signing out.

Spec: OpenID Connect Core 2 (auth_time, acr, amr), RFC 8176 (amr values), OpenID Connect Front-Channel Logout 3 (sid).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings

from .assurance import Assurance, evaluate, proofs_of

if TYPE_CHECKING:
    from django.http import HttpRequest

    from .models import BrowserSession


def current(request: HttpRequest) -> BrowserSession | None:
    """The signed-in session of this browser, or None."""
    session = getattr(request, "op_session", None)
    return session or None  # a lazy object around None is false, but not None


def of_cookies(cookies: Mapping[str, str]) -> BrowserSession | None:
    """Like `current`, before there is a request of Django's. One SQL where there is a cookie."""
    from .store import SessionStore

    key = cookies.get(settings.SESSION_COOKIE_NAME)
    return SessionStore(key).signed_in() if key else None


def begin(request: HttpRequest, user: object) -> None:
    """Record that `user` has just proved who they are in this browser.

    The same person keeps the `sid`; `auth_time`, `acr` and `amr` become those of this authentication.
    """
    from idp.accounts.models import User
    from idp.kernel import context
    from idp.kernel.clock import now
    from idp.kernel.ids import secret_token

    from .store import SessionStore

    store = request.session
    assert isinstance(store, SessionStore)
    assert isinstance(user, User)
    row = store.browser_session
    moment = now()
    same_person = row is not None and row.user_id == user.pk and bool(row.sid)
    if same_person:
        store.cycle_key()  # a new cookie at each authentication (ASVS 7.2.4); at the first one Django sees to it
    found = proved(request, user)
    origin = context.current()
    store.change_row(
        user=user,
        sid=row.sid if same_person else secret_token(24),
        auth_time=found.auth_time or moment,
        acr=found.acr,
        amr=list(found.amr),
        epoch=user.credential_epoch,
        ip=origin.ip[:45],
        user_agent=origin.user_agent[:300],
        created_at=row.created_at if same_person else moment,
        last_seen_at=moment,
        expires_at=moment + timedelta(seconds=settings.IDP.session_absolute_seconds),
    )
    request.op_session = store.row  # type: ignore[attr-defined]


def step_up(request: HttpRequest, user: object) -> Assurance:
    """The person of this session proved something more: `acr`, `amr` and `auth_time` become those of all that the session holds."""
    from .store import SessionStore

    store = request.session
    assert isinstance(store, SessionStore)
    found = proved(request, user)
    store.cycle_key()  # more rights than before: the old cookie gets none of them
    store.change_row(acr=found.acr, amr=list(found.amr), auth_time=found.auth_time)
    return found


def forget_factors(user_id: UUID, devices: Iterable[str], *, request: HttpRequest | None = None) -> None:
    """These factors are gone: every session of the person loses, at once, what it got by them (hostile case MF-11).

    `request` is of the session in which it happens: what that holds in memory would be written back otherwise. Call it in a transaction.
    """
    from idp.accounts import allauth as records

    from .models import BrowserSession
    from .store import SessionStore

    for row in BrowserSession.objects.select_for_update().filter(user_id=user_id).exclude(sid=""):
        data = SessionStore().decode(row.data) if row.data else {}
        if not records.forget(data, devices):
            continue
        found = evaluate(proofs_of(records.held(data)))
        row.acr, row.amr, row.data = found.acr, list(found.amr), SessionStore().encode(data)
        row.save(update_fields=["acr", "amr", "data"])
    if request is not None and isinstance(request.session, SessionStore):
        records.forget(request.session, devices)
        if request.session.browser_session is not None:
            found = evaluate(proofs_of(records.held(request.session)))
            request.session.change_row(acr=found.acr, amr=list(found.amr))


def proved(request: HttpRequest, user: object) -> Assurance:
    """What `user` has proved in this browser so far, signed in or on the way to it."""
    from idp.accounts import allauth as records
    from idp.accounts.models import User

    assert isinstance(user, User)
    return evaluate(proofs_of(records.recorded(request, user)))


def keep_after_credential_change(request: HttpRequest, user: object) -> None:
    """The browser in which a person changed a credential stays signed in; all others end by the epoch."""
    from .store import SessionStore

    store = request.session
    if isinstance(store, SessionStore) and store.browser_session is not None:
        store.change_row(epoch=user.credential_epoch)  # type: ignore[attr-defined]


def end_others(user_id: UUID, *, keep: str = "") -> int:
    """End every session of a person but the one with the sid `keep`; returns how many."""
    from .models import BrowserSession

    return BrowserSession.objects.filter(user_id=user_id).exclude(sid=keep or "-").delete()[0]


def end_one(user_id: UUID, sid: str) -> bool:
    """End the session `sid` of this person; false = they have no such session. What it gave to apps is the caller's business."""
    from .models import BrowserSession

    return bool(sid) and BrowserSession.objects.filter(user_id=user_id, sid=sid).delete()[0] > 0


def of_person(user_id: UUID) -> list[BrowserSession]:
    """Live signed-in sessions of a person, newest first."""
    from idp.kernel.clock import now

    from .models import BrowserSession

    moment: datetime = now()
    idle = moment - timedelta(seconds=settings.IDP.session_idle_seconds)
    rows = BrowserSession.objects.filter(user_id=user_id, expires_at__gt=moment, last_seen_at__gt=idle).exclude(sid="")
    return list(rows.order_by("-last_seen_at"))


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of dead sessions; returns how many."""
    from django.db.models import Q

    from idp.kernel.clock import now

    from .models import BrowserSession

    idle = now() - timedelta(seconds=settings.IDP.session_idle_seconds)
    dead = BrowserSession.objects.filter(Q(expires_at__lt=now()) | Q(last_seen_at__lt=idle)).values_list("pk", flat=True)[:limit]
    keys = list(dead)
    return BrowserSession.objects.filter(pk__in=keys).delete()[0] if keys else 0
