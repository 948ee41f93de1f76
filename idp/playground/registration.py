"""The playground's own client: registered on first use, its secret kept in the data folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from django.conf import settings

from idp.oidc.clients import registry
from idp.oidc.models import Client

CLIENT_ID = "playground"
SCOPE = "openid profile email phone address offline_access"
_lock = Lock()


@dataclass(frozen=True, slots=True)
class Registration:
    """What an app knows about itself once it is registered."""

    issuer: str
    client_id: str
    client_secret: str

    @property
    def redirect_uri(self) -> str:
        return f"{self.issuer}/playground/callback"

    @property
    def post_logout_redirect_uri(self) -> str:
        return f"{self.issuer}/playground/"


def registration() -> Registration:
    """The playground's credentials; registers the client, or gives it a new secret, when there is none yet."""
    with _lock:
        secret = _stored_secret()
        client = Client.objects.filter(client_id=CLIENT_ID).first()
        found = Registration(settings.IDP.issuer, CLIENT_ID, secret)
        document: dict[str, Any] = {
            "redirect_uris": [found.redirect_uri],
            "post_logout_redirect_uris": [found.post_logout_redirect_uri],
        }
        if client is None:
            described = {**document, "client_name": "Playground", "scope": SCOPE}
            _, fresh = registry.create(described, type="web", client_id=CLIENT_ID)
            secret = fresh or ""
        elif not secret:
            secret = registry.rotate_secret(client)
        elif found.redirect_uri not in client.redirect_uris.split():  # the issuer has another port than last time
            registry.update(client, document)
        if secret != found.client_secret:
            _store(secret)
        return Registration(found.issuer, CLIENT_ID, secret)


def _path() -> Path:
    return Path(settings.IDP.data_dir) / "playground.json"


def _stored_secret() -> str:
    try:
        return str(json.loads(_path().read_text())["client_secret"])
    except (OSError, ValueError, KeyError):
        return ""


def _store(secret: str) -> None:
    _path().parent.mkdir(parents=True, exist_ok=True)
    _path().touch(mode=0o600)
    _path().write_text(json.dumps({"client_id": CLIENT_ID, "client_secret": secret}))
