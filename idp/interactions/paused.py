"""Begin, find and change paused requests."""

from __future__ import annotations

import hmac
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import cached_property

from idp.kernel import colours
from idp.kernel.clock import now
from idp.kernel.ids import secret_token

from . import browser
from .models import InteractionRow

RESTART_FOR = timedelta(days=7)  # an expired request can still be started again for so long


class Unusable(Exception):
    """The interaction cannot go on in this browser now."""


class Missing(Unusable):
    """No such interaction (any more)."""


class ForeignBrowser(Unusable):
    """The interaction belongs to another browser."""


@dataclass
class Expired(Unusable):
    """Too old or already answered: `parameters` start it again."""

    parameters: dict[str, Any]


@dataclass(frozen=True)
class ClientCard:
    """What a page shows of the app that asks."""

    name: str
    logo_uri: str = ""
    domain: str = ""
    policy_uri: str = ""
    tos_uri: str = ""
    verified: bool = True
    identity_providers: list[str] | None = None
    colour: str = ""
    radius: int | None = None

    @property
    def stylesheet(self) -> str:
        """The address of the app's colours, empty where it has none of its own; what it leaves out is the deployment's."""
        own = (settings.IDP.brand_colour, settings.IDP.brand_radius)
        return colours.sheet_path(self.colour, self.radius, unless=own)

    @property
    def initial(self) -> str:
        return self.name[:1].upper()


class Interaction:
    """One paused request, as pages see it."""

    def __init__(self, row: InteractionRow) -> None:
        self._row = row

    @property
    def id(self) -> str:
        return self._row.id

    @property
    def ask(self) -> str:
        """login, select_account, create, second_factor, enrol or consent."""
        return self._row.ask

    @property
    def reauthenticate(self) -> bool:
        """The person must prove again who they are, although signed in."""
        return self._row.reauthenticate

    @property
    def parameters(self) -> dict[str, Any]:
        """The authorization request as received."""
        return dict(self._row.parameters)

    @property
    def outcomes(self) -> dict[str, Any]:
        """What steps have proved so far."""
        return dict(self._row.outcomes)

    @property
    def created_at(self) -> datetime:
        return self._row.created_at

    @cached_property
    def client(self) -> ClientCard:
        return ClientCard(**self._row.card)

    @property
    def login_hint(self) -> str:
        hint = self._row.parameters.get("login_hint", "")
        return hint if isinstance(hint, str) and len(hint) <= 254 and hint.isprintable() else ""

    @property
    def ui_locales(self) -> list[str]:
        value = self._row.parameters.get("ui_locales", "")
        return value.split()[:10] if isinstance(value, str) else []

    @property
    def resume_url(self) -> str:
        """The dispatcher: go there when a step is done."""
        return f"/authorize/resume?interaction={self.id}"

    def page_url(self) -> str:
        """The page of the step that is asked for now."""
        path = {"consent": "/consent", "create": "/signup", "second_factor": "/login/second-factor", "enrol": "/login/enrol"}.get(
            self.ask, "/login"
        )
        return f"{path}?interaction={self.id}"

    def record(self, **outcomes: Any) -> None:
        """Remember what a step proved, for the dispatcher."""
        self._row.outcomes = {**self._row.outcomes, **outcomes}
        self._row.save(update_fields=["outcomes"])

    def now_asks(self, ask: str, *, reauthenticate: bool = False) -> None:
        """The dispatcher's decision about the next step."""
        if (self._row.ask, self._row.reauthenticate) != (ask, reauthenticate):
            self._row.ask, self._row.reauthenticate = ask, reauthenticate
            self._row.save(update_fields=["ask", "reauthenticate"])

    def finish(self) -> bool:
        """Claim the right to answer the request: true for exactly one caller."""
        unanswered = InteractionRow.objects.filter(pk=self._row.pk, done_at=None, expires_at__gt=now())
        return unanswered.update(done_at=now()) == 1


def begin(request: HttpRequest, *, parameters: dict[str, Any], card: ClientCard, ask: str, reauthenticate: bool) -> Interaction:
    """Store a paused request, bound to this browser. The answer must pass through `browser.remember`."""
    row = InteractionRow(
        id=secret_token(24),
        browser=browser.ensure(request),
        parameters=parameters,
        card=asdict(card),
        ask=ask,
        reauthenticate=reauthenticate,
        expires_at=now() + timedelta(seconds=settings.IDP.interaction_seconds),
    )
    row.save(force_insert=True)
    return Interaction(row)


def find(request: HttpRequest, interaction_id: str) -> Interaction:
    """The open interaction with this id. Raises Missing, ForeignBrowser or Expired."""
    if not 1 <= len(interaction_id) <= 43 or not interaction_id.isascii() or not interaction_id.isprintable():
        raise Missing
    row = InteractionRow.objects.filter(pk=interaction_id).first()
    if row is None:
        raise Missing
    own = browser.known(request)
    if own is None or not hmac.compare_digest(own, bytes(row.browser)):
        raise ForeignBrowser
    if row.done_at is not None or row.expires_at <= now():
        raise Expired(row.parameters)
    return Interaction(row)


def requested_id(request: HttpRequest) -> str:
    """The id that a page or its form carries, or an empty text."""
    return request.GET.get("interaction", "") or request.POST.get("interaction", "")


def load(request: HttpRequest) -> Interaction | None:
    """The open interaction that this request names, or None: the page then stands on its own."""
    interaction_id = requested_id(request)
    if not interaction_id:
        return None
    known: Interaction | None = getattr(request, "_interaction", None)  # also for FormActionMiddleware
    if known is not None and known.id == interaction_id:
        return known
    try:
        interaction = find(request, interaction_id)
    except Unusable:
        return None
    request._interaction = interaction  # type: ignore[attr-defined]
    return interaction


def delete_expired(limit: int = 500) -> int:
    """Remove one bounded batch of interactions that nobody can restart any more; returns how many."""
    old = list(InteractionRow.objects.filter(expires_at__lt=now() - RESTART_FOR).values_list("pk", flat=True)[:limit])
    return InteractionRow.objects.filter(pk__in=old).delete()[0] if old else 0
