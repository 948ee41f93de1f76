"""django-oauth-toolkit, the engine (docs/decisions): our classes in every slot, its gates closed."""

from . import IDP

OAUTH2_PROVIDER_APPLICATION_MODEL = "oidc.Client"
OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "OIDC_ISS_ENDPOINT": IDP.issuer,
    "OAUTH2_VALIDATOR_CLASS": "idp.oidc.dot.validator.Validator",
    "OAUTH2_BACKEND_CLASS": "idp.oidc.dot.core.Core",
    "OIDC_SERVER_CLASS": "idp.oidc.dot.server.Server",
    "OAUTH2_SERVER_CLASS": "idp.oidc.dot.server.Server",
    "SCOPES_BACKEND_CLASS": "idp.oidc.dot.scopes.Scopes",
    "ACCESS_TOKEN_EXPIRE_SECONDS": IDP.access_token_seconds,
    "ALLOW_URI_WILDCARDS": False,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "DCR_ENABLED": False,
    "CIMD_ENABLED": False,
}
