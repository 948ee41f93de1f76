"""The engine's validator: closed. What it would ask the engine's tables is answered by rooms of ours."""

from __future__ import annotations

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):
    """Fails closed wherever the stock validator would read or write a token table, should any engine code still get there."""

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        return False

    def authenticate_client_id(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        return False

    def validate_bearer_token(self, token: str, scopes: list[str], request: Any) -> bool:
        return False

    def validate_code(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def validate_refresh_token(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def validate_silent_login(self, request: Any) -> bool:
        return False

    def validate_silent_authorization(self, request: Any) -> bool:
        return False

    def save_bearer_token(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("tokens are not stored by the engine")

    def save_authorization_code(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("codes are issued by idp.oidc.issuance.codes")
