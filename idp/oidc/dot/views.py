"""The engine's views with our server behind them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views import View
from oauth2_provider.views.base import BaseAuthorizationView, RevokeTokenView, TokenView
from oauth2_provider.views.oidc import UserInfoView

from .core import Core

__all__ = ["AuthorizationEngineView", "EngineMixin", "RevokeTokenView", "TokenView", "UserInfoView"]


class EngineMixin:
    """One core per view class: the engine's own cache hands a subclass its parent's server once the parent has served."""

    @classmethod
    def core(cls) -> Core:
        core = cls.__dict__.get("_kairos_core")
        if core is None:
            core = Core(cls.get_server())  # type: ignore[attr-defined]
            cls._kairos_core = core  # type: ignore[attr-defined]
        assert isinstance(core, Core)
        return core


class AuthorizationEngineView(EngineMixin, BaseAuthorizationView):
    """The engine's authorization view without its login wall: whether a person must sign in is the dispatcher's decision."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = View.dispatch(self, request, *args, **kwargs)
        assert isinstance(response, HttpResponse)
        return response
