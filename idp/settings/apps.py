"""Installed applications and the middleware stack."""

from . import IDP

INSTALLED_APPS = [
    "idp.kernel",
    "idp.events",
    "idp.interactions",
    "idp.accounts",
    "idp.sessions",
    "idp.access",
    "idp.mfa",
    "idp.federation",
    "idp.signin",
    "idp.consent",
    "idp.oidc",
    "idp.notifications",
    "idp.audit",
    "idp.ssf",
    "idp.console",
    "idp.admin",
    "idp.operations",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.admin.apps.SimpleAdminConfig",  # without autodiscovery: the console names its own pages
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "oauth2_provider",
]
if IDP.development:
    INSTALLED_APPS.append("idp.playground")

MIDDLEWARE = [
    "idp.kernel.middleware.RequestContextMiddleware",
    "idp.operations.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "idp.kernel.middleware.SecurityHeadersMiddleware",
    "idp.interactions.middleware.FormActionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "idp.signin.languages.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "idp.sessions.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
