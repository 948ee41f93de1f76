"""Our own tables, one file each. The engine's token tables stay empty."""

from .authorization_code import AuthorizationCode
from .client import Client, ClientSecret
from .client_logo import ClientLogo
from .client_session import ClientSession
from .initial_access_token import InitialAccessToken
from .pairwise_salt import PairwiseSalt
from .refused_request import RefusedRequest
from .revoked_token import RevokedToken
from .signing_key import SigningKey
from .token_family import TokenFamily
from .used_assertion import UsedAssertion

__all__ = [
    "AuthorizationCode",
    "Client",
    "ClientLogo",
    "ClientSecret",
    "ClientSession",
    "InitialAccessToken",
    "PairwiseSalt",
    "RefusedRequest",
    "RevokedToken",
    "SigningKey",
    "TokenFamily",
    "UsedAssertion",
]
