"""The engine's list of scopes."""

from __future__ import annotations

from typing import Any

from oauth2_provider.scopes import BaseScopes

from idp.oidc.clients.policy import known_scopes


class Scopes(BaseScopes):
    """The standard scopes; what a client may ask for is its registration's business."""

    def get_all_scopes(self) -> dict[str, str]:
        return {scope: scope for scope in known_scopes()}

    def get_available_scopes(self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        return list(known_scopes())

    def get_default_scopes(self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        return []
