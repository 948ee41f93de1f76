"""`manage.py upstream`: other providers that people may sign in through."""

from __future__ import annotations

import json
from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.core.management.base import CommandError

from idp.federation import allauth, documents, probe, upstreams
from idp.federation.upstreams import AUTH_METHODS, REFRESH, Invalid
from idp.kernel.commands import OperatorCommand


class Command(OperatorCommand):
    help = "Other providers that people may sign in through: Google, or any OpenID provider."
    subcommands = {
        "add": ("Add a provider; its client secret is read from standard input.", "arguments_add", "add"),
        "list": ("All providers, also the one that the settings switch on.", "arguments_none", "list_all"),
        "show": ("One provider, without its secret.", "arguments_name", "show_one"),
        "update": ("Change what is named; the rest stays.", "arguments_update", "update"),
        "remove": ("Take a provider away, with the links of people to it.", "arguments_remove", "remove"),
        "test": ("Ask the provider what it can do, and say what works.", "arguments_name", "test"),
    }

    def arguments_none(self, parser: ArgumentParser) -> None:
        """`list` takes nothing."""

    def arguments_name(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="small letters, digits and hyphens; part of the redirect URI")

    def arguments_remove(self, parser: ArgumentParser) -> None:
        self.arguments_name(parser)
        parser.add_argument("--yes", action="store_true", help="also when people are linked to it")

    def arguments_add(self, parser: ArgumentParser) -> None:
        self.arguments_name(parser)
        parser.add_argument("--issuer", required=True, metavar="URL", help="its issuer, or the address of its discovery document")
        parser.add_argument("--client-id", required=True, metavar="ID", help="what it calls this provider")
        parser.add_argument("--public", action="store_true", help="it gave no client secret; nothing is read from standard input")
        self._members(parser)

    def arguments_update(self, parser: ArgumentParser) -> None:
        self.arguments_name(parser)
        parser.add_argument("--issuer", metavar="URL")
        parser.add_argument("--client-id", metavar="ID")
        parser.add_argument("--secret-stdin", action="store_true", help="read a new client secret from standard input")
        self._members(parser)

    def _members(self, parser: ArgumentParser) -> None:
        flag: dict[str, Any] = {"action": BooleanOptionalAction, "default": None}
        parser.add_argument("--label", metavar="TEXT", help="what people read on the button")
        parser.add_argument("--kind", choices=["oidc", "google"], help="google: its brand rules, and its rules for addresses")
        parser.add_argument("--enabled", **flag, help="whether anybody may sign in through it")
        parser.add_argument("--button", **flag, help="whether the sign-in page shows a button; domains and idp_hint work without")
        parser.add_argument("--signup", **flag, help="whether somebody new gets an account")
        parser.add_argument("--trust-email", **flag, help="whether an address that it calls verified counts as proved")
        parser.add_argument("--posted-tokens", **flag, help="whether ID tokens of it may be posted (One Tap, mobile apps)")
        parser.add_argument("--logout", **flag, help="whether signing out here signs out there as well")
        parser.add_argument(
            "--refresh", choices=REFRESH, help="take over its profile at each sign-in, except what was edited here, or never"
        )
        parser.add_argument("--auth-method", choices=AUTH_METHODS, help="how to prove ourselves there; empty: as its document says")
        parser.add_argument("--domain", action="append", metavar="DOMAIN", help="e-mail domain whose people sign in there; repeat for more")
        parser.add_argument("--audience", action="append", metavar="ID", help="client id of an app whose ID tokens may be posted; repeat")
        parser.add_argument(
            "--trusted-acr", action="append", metavar="VALUE", help="value of acr or amr that counts as two factors; repeat"
        )
        parser.add_argument(
            "--map", action="append", metavar="OURS=THEIRS", help="claim of ours from a claim of theirs; repeat; replaces all"
        )
        parser.add_argument("--none-of", action="append", choices=["domain", "audience", "trusted-acr", "map"], help="empty this list")

    def add(self, options: dict[str, Any]) -> dict[str, Any]:
        self._not_from_settings(options["name"])
        secret = "" if options["public"] else self.read_secret("client secret")
        members = _chosen(options)
        if options["public"]:
            members.setdefault("auth_method", "none")
        try:
            return upstreams.add(
                name=options["name"], issuer=options["issuer"], client_id=options["client_id"], secret=secret, **members
            ).described()
        except Invalid as error:
            raise CommandError(f"{error}.") from None

    def update(self, options: dict[str, Any]) -> dict[str, Any]:
        self._not_from_settings(options["name"])
        members = _chosen(options) | {name: options[name] for name in ("issuer", "client_id") if options[name] is not None}
        secret = self.read_secret("client secret") if options["secret_stdin"] else None
        if not members and secret is None:
            raise CommandError("Name at least one thing to change.")
        try:
            return upstreams.update(options["name"], secret=secret, **members).described()
        except Invalid as error:
            raise CommandError(f"{error}.") from None

    def list_all(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"upstreams": [one.described() for one in upstreams.everything().values()]}

    def show_one(self, options: dict[str, Any]) -> dict[str, Any]:
        upstream = _find(options["name"])
        return {**upstream.described(), "linked_people": allauth.count(upstream.issuer)}

    def remove(self, options: dict[str, Any]) -> dict[str, Any]:
        self._not_from_settings(options["name"])
        linked = allauth.count(_find(options["name"]).issuer)
        if linked and not options["yes"]:
            raise CommandError(f"{linked} linked accounts would lose this way in. Switch it off with --no-enabled, or repeat with --yes.")
        return {"name": options["name"], "removed": True, "links_removed": upstreams.remove(options["name"])}

    def test(self, options: dict[str, Any]) -> dict[str, Any]:
        documents.forget()
        findings = probe.run(_find(options["name"]))
        if not options["json"] and not all(one.good for one in findings):
            self.stdout.write("\n".join(one.line for one in findings))
            raise CommandError("Not everything works.")
        return {"name": options["name"], "works": all(one.good for one in findings), "checks": [one.described() for one in findings]}

    def show(self, subcommand: str, answer: dict[str, Any]) -> None:
        if subcommand == "list":
            for one in answer["upstreams"]:
                self.stdout.write(f"{one['name']}: {one['label']}, {one['issuer']}{'' if one['enabled'] else ' (off)'}")
        elif subcommand == "test":
            for one in answer["checks"]:
                self.stdout.write(f"{'ok  ' if one['good'] else 'FAIL'} {one['what']}: {one['detail']}")
        else:
            super().show(subcommand, answer)

    def _not_from_settings(self, name: str) -> None:
        found = upstreams.everything().get(name)
        if found is not None and found.from_environment:
            raise CommandError("This provider is set by IDP_GOOGLE_CLIENT_ID: change the settings, or unset them.")


def _find(name: str) -> upstreams.Upstream:
    found = upstreams.everything().get(name)
    if found is None:
        raise CommandError("There is no provider with this name.")
    return found


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    """The members that were named on the command line."""
    found = {
        name: options[name]
        for name in (
            "label", "kind", "enabled", "button", "signup", "trust_email", "posted_tokens", "logout", "refresh", "auth_method", "trusted_acr",
        )
        if options[name] is not None
    }  # fmt: skip
    for option, member in (("domain", "domains"), ("audience", "audiences")):
        if options[option] is not None:
            found[member] = options[option]
    if options["map"] is not None:
        pairs = [one.partition("=") for one in options["map"]]
        if not all(ours and theirs for ours, _sign, theirs in pairs):
            raise CommandError("--map: OURS=THEIRS, for example nickname=preferred_username.")
        found["mapping"] = {ours: theirs for ours, _sign, theirs in pairs}
    for option in options["none_of"] or ():
        member = {"domain": "domains", "audience": "audiences", "trusted-acr": "trusted_acr", "map": "mapping"}[option]
        found[member] = {} if member == "mapping" else []
    return {name: json.loads(json.dumps(value)) for name, value in found.items()}
