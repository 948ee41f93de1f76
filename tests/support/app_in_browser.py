"""An app whose person sits at a real browser: sends it to the provider, waits until it is back, redeems the code."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

if TYPE_CHECKING:
    from playwright.sync_api import Page


class AppInBrowser:
    """A confidential client that lives on `callback`. ID tokens come over its own connection and are read as they are (OIDC Core 3.1.3.7)."""

    def __init__(self, issuer: str, client: dict[str, Any], callback: str) -> None:
        self.issuer, self.client, self.callback = issuer, client, callback

    def ask(self, **more: str) -> str:
        """Where the browser is sent."""
        self.state, self.verifier = secrets.token_urlsafe(12), secrets.token_urlsafe(40)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "client_id": self.client["client_id"], "redirect_uri": self.callback, "response_type": "code", "scope": "openid",
            "state": self.state, "code_challenge": challenge, "code_challenge_method": "S256", **more,
        }  # fmt: skip
        return f"{self.issuer}/authorize?{urlencode(query)}"

    def arrived(self, page: Page, **more: str) -> dict[str, Any]:
        """The tokens, once the browser is back; the claims of the ID token are the member `claims`."""
        page.wait_for_url(f"{self.callback}?**")
        members = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
        assert members["state"] == self.state
        form = {"grant_type": "authorization_code", "code": members["code"], "redirect_uri": self.callback, "code_verifier": self.verifier}
        credentials = (self.client["client_id"], self.client["client_secret"])
        answer: dict[str, Any] = httpx.post(f"{self.issuer}/token", data={**form, **more}, auth=credentials, trust_env=False).json()
        body = answer["id_token"].split(".")[1]
        return {**answer, "claims": json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))}
