"""`manage.py conformance prepare`: what the OpenID Foundation's certification plans need, on a throw-away instance."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.management.base import CommandError

from idp.accounts import claims as standard
from idp.accounts import people
from idp.kernel import jose
from idp.kernel.commands import OperatorCommand
from idp.kernel.ids import secret_token
from idp.oidc.clients import registry
from idp.oidc.keys import rotation

PERSON = Path(settings.BASE_DIR) / "tests" / "conformance" / "person.json"
THROW_AWAY = (".test", ".example", ".localhost", ".invalid")  # RFC 2606: names that no real provider has
CLIENTS = {"client": "client_secret_basic", "client2": "client_secret_basic", "client_secret_post": "client_secret_post"}
# By kind, for plans that want other clients: each way of client authentication, each way of hearing of a logout.
BLOCKS = ("client", "client2")
OTHER_METHODS = ("client_secret_post", "client_secret_jwt", "private_key_jwt", "none")
LOGOUT_URIS = {"backchannel": "backchannel_logout_uri", "frontchannel": "frontchannel_logout_uri"}


class Command(OperatorCommand):
    help = "Prepare a throw-away instance for the OpenID Foundation's conformance suite (docs/conformance.md)."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "prepare": (
            "Make the static clients and a person with every standard claim; prints what the runner needs.",
            "arguments",
            "prepare",
        ),
    }

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--suite", default="https://suite.test:8443", metavar="URL", help="base address of the suite (default: %(default)s)"
        )
        parser.add_argument("--alias", default="kairos-id", help="part of the suite's redirect URIs (default: %(default)s)")

    def prepare(self, options: dict[str, Any]) -> dict[str, Any]:
        host = settings.IDP.issuer_host
        if not settings.IDP.development or not (host in ("localhost", "127.0.0.1") or host.endswith(THROW_AWAY)):
            raise CommandError("Refused: this is no throw-away instance (IDP_ENV=development and an issuer below .test or on localhost).")
        rotation.ensure()
        base = f"{options['suite'].rstrip('/')}/test/a/{options['alias']}"
        return {
            **{block: self._client(block, method, base) for block, method in CLIENTS.items()},
            "kinds": {
                "ssf": {"client": self._ssf()},
                **{method: {block: self._client(block, method, base) for block in BLOCKS} for method in OTHER_METHODS},
                **{
                    kind: {block: self._client(block, "client_secret_basic", base, **{member: f"{base}/{kind}_logout"}) for block in BLOCKS}
                    for kind, member in LOGOUT_URIS.items()
                },
            },
            "person": self._person(),
        }

    def _client(self, block: str, method: str, base: str, **more: str) -> dict[str, Any]:
        """Register one client; what the suite must know of it, for `private_key_jwt` with its (throw-away) private key."""
        document: dict[str, Any] = {
            "client_name": f"Conformance {block}",
            "profile": "oidc",
            "token_endpoint_auth_method": method,
            "grant_types": ["authorization_code", "implicit", "refresh_token"],
            "response_types": ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"],
            "redirect_uris": [f"{base}/callback"],
            "post_logout_redirect_uris": [f"{base}/post_logout_redirect"],
            **more,
        }
        if method != "private_key_jwt":
            client, secret = registry.create(document, type="spa" if method == "none" else "web")
            return {"client_id": client.client_id} | ({"client_secret": secret} if secret else {})
        key = ec.generate_private_key(ec.SECP256R1())
        public = jose.public_jwk(key, "ES256")
        client, _ = registry.create(document | {"jwks": {"keys": [public]}, "token_endpoint_auth_signing_alg": "ES256"}, type="web")
        private = jose.b64encode(key.private_numbers().private_value.to_bytes(32, "big"))  # RFC 7518 6.2.2.1
        return {"client_id": client.client_id, "jwks": {"keys": [public | {"d": private}]}}

    def _ssf(self) -> dict[str, str | None]:
        """A receiver of Shared Signals."""
        document = {"client_name": "Conformance ssf", "scope": "ssf.manage ssf.read", "token_endpoint_auth_method": "client_secret_post"}
        client, secret = registry.create(document, type="service")
        return {"client_id": client.client_id, "client_secret": secret, "scope": document["scope"]}

    def _person(self) -> dict[str, str]:
        if not PERSON.exists():
            raise CommandError("tests/conformance/person.json is missing: run this from a checkout of the project.")
        login, password = f"conformance-{secret_token(6).lower()}@example.test", secret_token(18)
        claims = standard.validated(json.loads(PERSON.read_text("utf-8")))
        claims.pop("updated_at", None)
        people.create(email=login, method="command", password=password, verified=True, claims=claims)
        return {"login": login, "password": password}
