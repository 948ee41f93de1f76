"""`manage.py keys list|rotate|retire`: signing keys, for the operator."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, ClassVar

from django.core.management.base import CommandError

from idp.kernel.clock import now
from idp.kernel.commands import OperatorCommand
from idp.kernel.jose import ALGORITHMS
from idp.oidc.keys import rotation
from idp.oidc.models import SigningKey


class Command(OperatorCommand):
    help = "List, rotate and withdraw the keys that sign tokens."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "list": ("List the keys and what each is doing.", "arguments_none", "list_keys"),
        "rotate": (
            "Publish a new key per algorithm; it signs once every app can have seen it, and the former stays published after that.",
            "arguments_rotate",
            "rotate",
        ),
        "retire": ("Emergency: withdraw a key now. What it signed is refused from here on.", "arguments_retire", "retire"),
    }

    def arguments_none(self, parser: ArgumentParser) -> None:
        """`list` takes nothing."""

    def arguments_rotate(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--algorithm", action="append", choices=ALGORITHMS, help="only this one (or a first key for it); repeat for more"
        )
        parser.add_argument("--now", action="store_true", help="sign with the new key at once, without publishing it first")

    def arguments_retire(self, parser: ArgumentParser) -> None:
        parser.add_argument("kid", metavar="KID")

    def list_keys(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"keys": [described(key) for key in SigningKey.objects.order_by("algorithm", "-created_at")]}

    def rotate(self, options: dict[str, Any]) -> dict[str, Any]:
        made = rotation.rotate(*(options["algorithm"] or ()), immediately=options["now"])
        return {"keys": [described(key) for key in made]}

    def retire(self, options: dict[str, Any]) -> dict[str, Any]:
        if not rotation.withdraw(options["kid"]):
            raise CommandError("There is no key with this kid.")
        return {"kid": options["kid"], "retired": True}


def described(key: SigningKey) -> dict[str, Any]:
    """A key without its private half."""
    moment = now()
    state = "signs or has signed" if key.activates_at <= moment else "published, signs later"
    if key.retires_at is not None:
        state = "former, still published" if key.retires_at > moment else "former, no longer published"
        if key.activates_at > moment:
            state = "published, signs later"
    return {
        "kid": key.kid,
        "alg": key.algorithm,
        "state": state,
        "created_at": key.created_at.isoformat(timespec="seconds"),
        "activates_at": key.activates_at.isoformat(timespec="seconds"),
        "retires_at": key.retires_at.isoformat(timespec="seconds") if key.retires_at else None,
    }
