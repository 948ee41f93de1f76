"""`manage.py client create|update|list|show|rotate-secret|enable|disable|delete`: registered clients, for the operator."""

from __future__ import annotations

import json
from argparse import ArgumentParser, BooleanOptionalAction
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandError

from idp.kernel.commands import OperatorCommand
from idp.oidc.clients import registry
from idp.oidc.clients.metadata import AUTH_METHODS, ENROLMENTS, GRANT_TYPES, MINIMA, InvalidMetadata
from idp.oidc.models import Client

MOST_BYTES = 256 * 1024


class Command(OperatorCommand):
    help = "Register apps and services, show and change them, rotate their secrets."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "create": ("Register a client; the secret is shown this once.", "arguments_create", "create"),
        "update": ("Change a client: what is not named stays.", "arguments_update", "update"),
        "list": ("List all clients.", "arguments_none", "list_clients"),
        "show": ("Show a client with RFC 7591 member names; never its secret.", "arguments_client", "show_client"),
        "rotate-secret": ("Give a client a new secret; the former one works on for a while.", "arguments_rotate", "rotate_secret"),
        "enable": ("Switch a client on again.", "arguments_client", "enable"),
        "disable": ("Switch a client off: no sign-in and no token from now on.", "arguments_client", "disable"),
        "delete": ("Delete a client with everything that it was given.", "arguments_client", "delete"),
    }

    def arguments_none(self, parser: ArgumentParser) -> None:
        """`list` takes nothing."""

    def arguments_client(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_id", metavar="CLIENT_ID")

    def arguments_rotate(self, parser: ArgumentParser) -> None:
        self.arguments_client(parser)
        parser.add_argument(
            "--overlap-hours",
            type=float,
            default=24,
            metavar="HOURS",
            help="how long the former secret still works (default 24; 0 = not at all)",
        )

    def arguments_create(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what people read on the sign-in and consent pages")
        parser.add_argument("--type", choices=sorted(registry.TYPES), default="web", help="what kind of app it is; sets the other defaults")
        parser.add_argument("--client-id", metavar="ID", help="a chosen client_id instead of a generated one")
        self._members(parser)

    def arguments_update(self, parser: ArgumentParser) -> None:
        self.arguments_client(parser)
        parser.add_argument("--name", metavar="NAME")
        parser.add_argument("--type", choices=sorted(registry.TYPES), help="set the members that this kind of app starts with")
        self._members(parser)

    def _members(self, parser: ArgumentParser) -> None:
        many: dict[str, Any] = {"action": "append", "metavar": "URI"}
        parser.add_argument("--redirect-uri", **many, help="exactly as the app sends it; repeat for more")
        parser.add_argument("--post-logout-redirect-uri", **many, help="where a browser may go after sign-out; repeat for more")
        parser.add_argument("--origin", **many, help="browser origin that may call the token endpoint and userinfo; repeat for more")
        parser.add_argument("--resource", **many, help="service that tokens may be for (RFC 8707); repeat for more")
        parser.add_argument("--scope", metavar='"A B"', help="scopes that the client may ask for")
        parser.add_argument("--grant-type", action="append", choices=GRANT_TYPES)
        parser.add_argument("--response-type", action="append", metavar='"A B"')
        parser.add_argument("--auth-method", choices=AUTH_METHODS, help="token_endpoint_auth_method")
        parser.add_argument("--profile", choices=["oidc", "oauth21", "fapi2"], help="rules that the client is held to (default oauth21)")
        parser.add_argument("--first-party", action="store_true", default=None, help="an app of your own: people are not asked for consent")
        parser.add_argument("--min-acr", choices=["", *MINIMA], help="weakest acr with which people get in; '' = the deployment's")
        parser.add_argument("--enrolment", choices=ENROLMENTS, help="who lacks what min_acr takes sets it up at once, or is refused")
        parser.add_argument(
            "--allow-trusted-browser",
            action=BooleanOptionalAction,
            default=None,
            help="whether a trusted browser does instead of min_acr; acr still says what was proved",
        )
        parser.add_argument("--brand-colour", metavar="#RRGGBB", help="colour of links and buttons while people sign in to it")
        parser.add_argument("--brand-radius", type=int, metavar="PIXELS", help="roundness of corners, 0 to 24")
        parser.add_argument(
            "--identity-provider", action="append", metavar="NAME", help="another provider its people may sign in through; repeat for more"
        )
        parser.add_argument("--jwks", metavar="FILE", help="public keys of the client (JSON Web Key Set)")
        parser.add_argument(
            "--from-json", metavar="FILE", help="client metadata with RFC 7591 member names; options here win; - reads standard input"
        )

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        document = {**self._document(options), "client_name": options["name"]}
        client_id = options["client_id"]
        if client_id is not None:
            if not 1 <= len(client_id) <= 200 or not all(0x21 <= ord(c) <= 0x7E and c not in '":\\' for c in client_id):
                raise CommandError("--client-id: 1 to 200 printable ASCII characters without colon, quote and backslash.")
            if Client.objects.filter(client_id=client_id).exists():
                raise CommandError("--client-id: there is already a client with this id.")
        try:
            client, secret = registry.create(document, type=options["type"], client_id=client_id)
        except InvalidMetadata as error:
            raise CommandError(f"{error}.") from None
        return _with_secret(client, secret)

    def update(self, options: dict[str, Any]) -> dict[str, Any]:
        client = find(options["client_id"])
        document = self._document(options)
        if options["type"] is not None:
            document = {**registry.TYPES[options["type"]], **document}
        if options["name"] is not None:
            document["client_name"] = options["name"]
        if not document:
            raise CommandError("Name at least one thing to change.")
        try:
            secret = registry.update(client, document)
        except InvalidMetadata as error:
            raise CommandError(f"{error}.") from None
        return _with_secret(client, secret)

    def list_clients(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"clients": [registry.describe(client) for client in Client.objects.order_by("created")]}

    def show_client(self, options: dict[str, Any]) -> dict[str, Any]:
        return registry.describe(find(options["client_id"]))

    def rotate_secret(self, options: dict[str, Any]) -> dict[str, Any]:
        client = find(options["client_id"])
        if not 0 <= options["overlap_hours"] <= 24 * 90:
            raise CommandError("--overlap-hours: 0 to 2160.")
        try:
            secret = registry.rotate_secret(client, overlap=timedelta(hours=options["overlap_hours"]))
        except InvalidMetadata as error:
            raise CommandError(f"{error}.") from None
        return _with_secret(client, secret)

    def enable(self, options: dict[str, Any]) -> dict[str, Any]:
        return self._switch(options, enabled=True)

    def disable(self, options: dict[str, Any]) -> dict[str, Any]:
        return self._switch(options, enabled=False)

    def _switch(self, options: dict[str, Any], *, enabled: bool) -> dict[str, Any]:
        client = find(options["client_id"])
        registry.set_enabled(client, enabled)
        return registry.describe(client)

    def delete(self, options: dict[str, Any]) -> dict[str, Any]:
        client = find(options["client_id"])
        registry.delete(client)
        return {"client_id": options["client_id"], "deleted": True}

    def _document(self, options: dict[str, Any]) -> dict[str, Any]:
        document = self._json(options["from_json"], "--from-json") if options["from_json"] else {}
        if options["jwks"]:
            document["jwks"] = self._json(options["jwks"], "--jwks")
        for option, member in (
            ("redirect_uri", "redirect_uris"),
            ("post_logout_redirect_uri", "post_logout_redirect_uris"),
            ("origin", "allowed_origins"),
            ("resource", "resources"),
            ("scope", "scope"),
            ("grant_type", "grant_types"),
            ("response_type", "response_types"),
            ("auth_method", "token_endpoint_auth_method"),
            ("profile", "profile"),
            ("first_party", "first_party"),
            ("min_acr", "min_acr"),
            ("enrolment", "enrolment"),
            ("allow_trusted_browser", "allow_trusted_browser"),
            ("brand_colour", "brand_colour"),
            ("brand_radius", "brand_radius"),
            ("identity_provider", "identity_providers"),
        ):
            if options[option] is not None:
                document[member] = options[option] if options[option] != "" or member != "min_acr" else None
        return document

    def _json(self, name: str, option: str) -> dict[str, Any]:
        try:
            text = self.read_all() if name == "-" else Path(name).read_text("utf-8")
            found = json.loads(text[:MOST_BYTES])
        except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not JSON"
            raise CommandError(f"{option}: the file cannot be used: {reason}.") from None
        if not isinstance(found, dict):
            raise CommandError(f"{option}: the file must hold a JSON object.")
        return found

    def read_all(self) -> str:
        """Standard input, bounded."""
        import sys

        return sys.stdin.read(MOST_BYTES)


def find(client_id: str) -> Client:
    """The client, enabled or not. Raises CommandError."""
    client: Client | None = Client.objects.filter(client_id=client_id).first() if "\x00" not in client_id else None
    if client is None:
        raise CommandError("There is no client with this client_id.")
    return client


def _with_secret(client: Client, secret: str | None) -> dict[str, Any]:
    document = registry.describe(client)
    if secret is not None:
        # RFC 7591 3.2.1: 0 = the secret does not expire.
        document |= {"client_secret": secret, "client_secret_expires_at": 0}
    return document
