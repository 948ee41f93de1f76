"""Why a person is on these pages and where they go afterwards: an app's paused request, a page of ours, or their account."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.conf import settings

from idp.accounts.destinations import is_local_path

if TYPE_CHECKING:
    from django.http import HttpRequest

    from idp.interactions.paused import Interaction


RESUME = "/authorize/resume?interaction="
ID = re.compile(r"[A-Za-z0-9_-]{1,43}")


@dataclass(frozen=True)
class Continuation:
    """Read once per request, carried from page to page by `interaction` or `next`; nothing else of the request decides where to go."""

    request: HttpRequest

    @cached_property
    def interaction_id(self) -> str:
        """The id of a paused request that the page or form carries; whether it can go on is another question."""
        asked = self.request.GET.get("interaction") or self.request.POST.get("interaction") or ""
        return asked if ID.fullmatch(asked) else ""

    @cached_property
    def interaction(self) -> Interaction | None:
        """The app's paused request, if it can go on in this browser."""
        from idp.interactions import paused

        return paused.load(self.request) if self.interaction_id else None

    @property
    def is_lost(self) -> bool:
        """An app's request was named that cannot go on: too old, answered, or of another browser. The dispatcher knows what to do."""
        return bool(self.interaction_id) and self.interaction is None

    @cached_property
    def next(self) -> str:
        """A page of ours that asked for the sign-in, or an empty text."""
        asked = self.request.GET.get("next") or self.request.POST.get("next")
        return asked if is_local_path(asked) else ""

    @property
    def url(self) -> str:
        """Where to go when the step is done."""
        if self.interaction_id:
            return f"{RESUME}{self.interaction_id}"
        return self.next or settings.LOGIN_REDIRECT_URL

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Hidden fields that keep it through a form."""
        if self.interaction_id:
            return [("interaction", self.interaction_id)]
        return [("next", self.next)] if self.next else []

    def along(self, path: str, **more: str) -> str:
        """`path` of a sister page, with the continuation."""
        query = [*self.fields, *more.items()]
        return f"{path}?{urlencode(query)}" if query else path

    @property
    def client_id(self) -> str | None:
        """The app that asks, for the event log."""
        if self.interaction is None:
            return None
        value = self.interaction.parameters.get("client_id")
        return value if isinstance(value, str) else None


def fields_of(url: str) -> list[tuple[str, str]]:
    """The fields that lead to `url` again, which was the `url` of a continuation."""
    interaction_id = url.removeprefix(RESUME) if url.startswith(RESUME) else ""
    if ID.fullmatch(interaction_id):
        return [("interaction", interaction_id)]
    return [("next", url)] if is_local_path(url) and url != settings.LOGIN_REDIRECT_URL else []
