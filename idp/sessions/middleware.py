"""`request.user` and `request.op_session`, without a query of their own."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware as DjangoAuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from .store import SessionStore


def _signed_in(request: HttpRequest) -> Any:
    """The live session row whose person may be here now, or None."""
    store = request.session
    return store.signed_in() if isinstance(store, SessionStore) else None


class AuthenticationMiddleware(DjangoAuthenticationMiddleware):
    """Sets `request.user` and `request.op_session` lazily: a request that asks for neither costs no SQL."""

    def process_request(self, request: HttpRequest) -> None:
        request.op_session = SimpleLazyObject(lambda: _signed_in(request))  # type: ignore[attr-defined]
        request.user = SimpleLazyObject(lambda: _user(request))  # type: ignore[assignment]


def _user(request: HttpRequest) -> Any:
    row = _signed_in(request)
    return AnonymousUser() if row is None else row.user
