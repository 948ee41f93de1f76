"""A plain django-oauth-toolkit project for `make bench-peers`: its own views and tables, the same server, driver and database.

Client secrets are hashed with salted SHA-256 as ours are: with Django's default hasher every request would cost 0.2 s.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.conf import settings
from django.contrib.auth.hashers import BasePasswordHasher

CLIENT_SECRET = "kB3u0Jr8sX1q7WvZ5mP2nT9yC4hD6fGa"


class SaltedSha256(BasePasswordHasher):
    """As our client secrets: enough for generated ones."""

    algorithm = "salted_sha256"

    def encode(self, password: str, salt: str) -> str:
        import hashlib

        return f"{self.algorithm}${salt}${hashlib.sha256((salt + password).encode()).hexdigest()}"

    def verify(self, password: str, encoded: str) -> bool:
        import hmac

        return hmac.compare_digest(self.encode(password, encoded.split("$")[1]), encoded)

    def must_update(self, encoded: str) -> bool:
        return False

    def decode(self, encoded: str) -> dict[str, Any]:
        algorithm, salt, digest = encoded.split("$")
        return {"algorithm": algorithm, "salt": salt, "hash": digest}


def configure(database_url: str, key: str) -> None:
    """The settings of DOT's documentation, with sessions and OpenID Connect."""
    from urllib.parse import urlsplit

    parts = urlsplit(database_url)
    settings.configure(
        DEBUG=False,
        SECRET_KEY="bench" * 12,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        LOGGING_CONFIG=None,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher", f"{__name__}.SaltedSha256"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": parts.path.lstrip("/"),
                "USER": parts.username,
                "PASSWORD": parts.password,
                "HOST": parts.hostname,
                "PORT": parts.port,
                "CONN_MAX_AGE": None,
            }
        },
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": key,
            "OIDC_ISS_ENDPOINT": "http://localhost/o",
            "PKCE_REQUIRED": True,
            "SCOPES": {"openid": "", "profile": "", "email": "", "offline_access": "", "read": "", "introspection": ""},
            "CLIENT_SECRET_HASHER": "salted_sha256",
        },
    )


def _urlpatterns() -> list[Any]:
    from django.urls import include, path

    return [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]


def __getattr__(name: str) -> Any:
    if name == "urlpatterns":
        return _urlpatterns()
    raise AttributeError(name)


def prepare(redirect_uri: str) -> dict[str, str]:
    """Tables, two clients, one person with a session; answers the session cookie."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    common = {"client_type": "confidential", "client_secret": CLIENT_SECRET, "skip_authorization": True}
    Application.objects.create(name="app", client_id="app", authorization_grant_type="authorization-code", algorithm="RS256",
                               redirect_uris=redirect_uri, **common)  # fmt: skip
    Application.objects.create(name="service", client_id="service", authorization_grant_type="client-credentials", **common)
    user = User.objects.create_user("person", "person@bench.example")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return {"cookie": f"sessionid={session.session_key}"}


def load() -> Any:
    """The WSGI application; runs in the worker."""
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def main() -> None:
    """`prepare`: print the session; `serve`: answer with the options of `idp.operations.serving`."""
    options = json.loads(sys.argv[1])
    configure(options["database"], options["key"])
    if options["do"] == "prepare":
        django.setup()
        print(json.dumps(prepare(options["redirect_uri"])))
        return
    from tests.bench import trivial

    trivial.serve(load, port=options["port"], workers=options["workers"], threads=options["threads"])


if __name__ == "__main__":
    # Under its importable name: Django asks for the URLs by it.
    from tests.bench.peers import dot

    dot.main()
