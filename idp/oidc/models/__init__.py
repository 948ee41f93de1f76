"""Our own tables, one file each. The engine's token tables stay empty."""

from .authorization_code import AuthorizationCode
from .client import Client, ClientSecret
from .refused_request import RefusedRequest
from .revoked_token import RevokedToken
from .signing_key import SigningKey
from .token_family import TokenFamily

__all__ = ["AuthorizationCode", "Client", "ClientSecret", "RefusedRequest", "RevokedToken", "SigningKey", "TokenFamily"]
