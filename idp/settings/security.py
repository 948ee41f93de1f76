"""Cookies, headers, hosts, Content-Security-Policy."""

from csp.constants import NONCE, NONE, SELF

from . import IDP
from .safety import parse_sealing_keys

SECRET_KEY = IDP.secret_key.get_secret_value()
SECRET_KEY_FALLBACKS = list(IDP.secret_key_fallbacks)
SEALING_KEYS = parse_sealing_keys(IDP.sealing_keys.get_secret_value())

_https = IDP.issuer.startswith("https://")
# Links and tokens never use the Host header; requests for other hosts are refused all the same.
ALLOWED_HOSTS = [IDP.issuer_host] + (["localhost", "127.0.0.1", "[::1]"] if IDP.development else [])
CSRF_TRUSTED_ORIGINS = [IDP.issuer]

_prefix = "__Host-" if _https else ""
SESSION_ENGINE = "idp.sessions.store"
SESSION_COOKIE_NAME = f"{_prefix}kairos_session"
SESSION_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = IDP.session_absolute_seconds
CSRF_COOKIE_NAME = f"{_prefix}kairos_csrf"
CSRF_COOKIE_SECURE = _https
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "idp.signin.failures.csrf_failure"
LANGUAGE_COOKIE_NAME = f"{_prefix}kairos_language"
LANGUAGE_COOKIE_SECURE = _https
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True

# Scheme and client address come from trusted proxies only: idp.kernel.middleware decides, not a header by itself.
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 63072000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"  # see idp.kernel.middleware
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
    }
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
DATA_UPLOAD_MAX_NUMBER_FILES = 0

SILENCED_SYSTEM_CHECKS = [
    "security.W002",  # idp.kernel.middleware.SecurityHeadersMiddleware sets X-Frame-Options, with the other headers
    "security.W008",  # TLS ends at the proxy, so Django itself must not redirect (a 301 on /token loses the body)
    # Of the engine: what idp.oidc decides itself, per client (ClientPolicy), before the engine is asked.
    "oauth2_provider.W001",  # response types
    "oauth2_provider.W003",  # PKCE methods (RFC 7636)
    "oauth2_provider.W005",  # `iss` in the answer (RFC 9207) is added where the answer is made
    "oauth2_provider.W008",  # http redirect URIs: loopback of native apps only (RFC 8252 7.3)
]
