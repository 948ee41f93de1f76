"""`manage.py user create|show|set-password|disable|enable|sign-out|import|export|erase`: people, for the operator."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, ClassVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import transaction

from idp.accounts import claims as standard
from idp.accounts import erasure, gate, passwords, people, transfer
from idp.accounts.addresses import find as find_by_address
from idp.accounts.emails import canonical_email
from idp.accounts.models import User
from idp.accounts.phones import canonical_phone
from idp.accounts.recovery import names
from idp.kernel.commands import OperatorCommand

MOST_CLAIMS = 64 * 1024


class Command(OperatorCommand):
    help = "Create, show, disable, enable, import, export and erase people, and set their passwords."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "create": ("Create a person.", "arguments_create", "create"),
        "show": ("Show a person: state, address and claims.", "arguments_person", "show_person"),
        "set-password": (
            "Set a new password from standard input; ends sessions and refresh tokens.",
            "arguments_set_password",
            "set_password",
        ),
        "disable": ("Switch an account off: no sign-in and no token from now on; what is open ends.", "arguments_person", "disable"),
        "enable": ("Switch an account on again.", "arguments_person", "enable"),
        "import": ("Import people; who is there already stays as they are, so it can be repeated.", "arguments_import", "take_in"),
        "export": ("Write all people into a file that only you can read, one JSON object per line.", "arguments_export", "export"),
        "erase": ("Forget everything about a person, now and for ever.", "arguments_erase", "erase"),
        "sign-out": ("End all sessions and refresh tokens of a person, or of everybody.", "arguments_sign_out", "sign_out"),
    }

    def arguments_create(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", default="", help="the person's address, and what they sign in with")
        parser.add_argument("--phone", default="", help="their mobile number, which signs in as well, or instead")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input; without it there is none")
        parser.add_argument("--verified", action="store_true", help="address and number are known to be theirs")
        parser.add_argument("--claims", metavar="FILE", help="JSON object of OpenID Connect standard claims; - reads standard input")

    def arguments_person(self, parser: ArgumentParser) -> None:
        parser.add_argument("person", metavar="PERSON", help="e-mail address or sub")

    def arguments_import(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="what to read; - is standard input")
        parser.add_argument(
            "--format", choices=transfer.FORMATS, required=True, help="JSON lines, CSV with a first line of names, or a Firebase export"
        )
        parser.add_argument("--dry-run", action="store_true", help="check every row and write nothing")

    def arguments_export(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="what to write; it must not exist yet")
        parser.add_argument(
            "--with-password-hashes", action="store_true", help="so that `user import` elsewhere can take the passwords over"
        )

    def arguments_erase(self, parser: ArgumentParser) -> None:
        self.arguments_person(parser)
        parser.add_argument("--yes", action="store_true", help="you mean it: nothing brings the person back")

    def arguments_sign_out(self, parser: ArgumentParser) -> None:
        parser.add_argument("person", metavar="PERSON", nargs="?", help="e-mail address or sub")
        parser.add_argument("--everybody", action="store_true", help="all people, as after a backup was restored")

    def arguments_set_password(self, parser: ArgumentParser) -> None:
        self.arguments_person(parser)
        parser.add_argument("--password-stdin", action="store_true", help="accepted for symmetry: it is always read from standard input")

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["claims"] == "-" and options["password_stdin"]:
            raise CommandError("Standard input holds either the password or the claims, not both.")
        if not options["email"] and not options["phone"]:
            raise CommandError("A person needs --email or --phone.")
        email = _canonical("--email", canonical_email, options["email"])
        phone = _canonical("--phone", canonical_phone, options["phone"])
        claims, updated_at = self._claims(options["claims"], email=email)
        password = self._password(email=email, claims=claims) if options["password_stdin"] else None
        try:
            with transaction.atomic():
                user = people.create(
                    email=email, phone=phone, method="command", password=password, verified=options["verified"], claims=claims
                )
                if updated_at is not None:
                    User.objects.filter(pk=user.pk).update(updated_at=updated_at)
        except people.EmailTaken:
            raise CommandError("There is already a person with this address or number.") from None
        return described(User.objects.get(pk=user.pk))

    def show_person(self, options: dict[str, Any]) -> dict[str, Any]:
        return described(find(options["person"]))

    def set_password(self, options: dict[str, Any]) -> dict[str, Any]:
        user = find(options["person"])
        password = self._password(email=user.email, claims=user.claims)
        try:
            people.set_password(user, password)
        except people.Overtaken:
            raise CommandError("The password was changed at the same moment; nothing was done here. Run the command again.") from None
        return described(user)

    def disable(self, options: dict[str, Any]) -> dict[str, Any]:
        user = find(options["person"])
        if user.erase_at is not None:
            raise CommandError(
                f"This person asked to be deleted, may change their mind until {user.erase_at:%Y-%m-%d %H:%M} UTC, and could then sign in again. "
                "Erase them now, or enable and then disable the account, which ends their wish."
            )
        people.disable(user)
        return described(user)

    def enable(self, options: dict[str, Any]) -> dict[str, Any]:
        user = find(options["person"])
        people.enable(user)
        return described(user)

    def sign_out(self, options: dict[str, Any]) -> dict[str, Any]:
        if bool(options["person"]) == options["everybody"]:
            raise CommandError("Name a person, or say --everybody.")
        if options["everybody"]:
            return {"people": people.sign_out_everybody()}
        user = find(options["person"])
        people.sign_out_everywhere(user)
        return described(user)

    def take_in(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            with _reading(options["file"]) as lines:
                outcome = transfer.take(transfer.rows(lines, options["format"]), dry_run=options["dry_run"])
        except transfer.Wrong as error:
            raise CommandError(f"The file cannot be imported: {error}.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"The file cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}.") from None
        return {"dry_run": options["dry_run"], **asdict(outcome)}

    def export(self, options: dict[str, Any]) -> dict[str, Any]:
        count = 0
        try:
            file = os.fdopen(os.open(options["file"], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"The file cannot be written: {error.strerror}.") from None
        with file:
            for user in User.objects.order_by("pk").iterator(chunk_size=500):
                row = transfer.described(user, with_hash=options["with_password_hashes"])
                file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
                count += 1
        return {"exported": count, "file": options["file"]}

    def erase(self, options: dict[str, Any]) -> dict[str, Any]:
        user = find(options["person"])
        if not options["yes"]:
            raise CommandError("Nothing was done: say --yes, for nothing brings the person back.")
        sub = str(user.pk)
        erasure.erase(user)
        return {"sub": sub, "erased": True}

    def finish(self, answer: dict[str, Any]) -> None:
        if refused := answer.get("refused"):
            raise CommandError(f"{refused} rows were refused; the others are done. Correct them and import the file again.")

    def _password(self, *, email: str | None, claims: dict[str, Any]) -> str:
        password = self.read_secret("password")
        found = passwords.problems(password, context=passwords.context_words(email=email, names=names(User(claims=claims))))
        if found:
            raise CommandError(f"The password is refused: {found[0]}")
        return password

    def _claims(self, source: str | None, *, email: str) -> tuple[dict[str, Any], datetime | None]:
        if source is None:
            return {}, None
        try:
            text = self.read_all() if source == "-" else _read(source)
            found = json.loads(text)
        except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not JSON"
            raise CommandError(f"--claims: the file cannot be used: {reason}.") from None
        if isinstance(found, dict) and isinstance(found.get("email"), str) and found["email"].casefold() == email:
            del found["email"]  # the same thing said twice
        try:
            accepted = standard.validated(found)
        except standard.ClaimError as error:
            raise CommandError(f"--claims: {error}") from None
        moment = accepted.pop("updated_at", None)
        return accepted, datetime.fromtimestamp(moment, UTC) if moment is not None else None

    def read_all(self) -> str:
        import sys

        return sys.stdin.read(MOST_CLAIMS)


def _canonical(option: str, rule: Callable[[str], str], text: str) -> str:
    try:
        return rule(text) if text else ""
    except ValidationError as error:
        raise CommandError(f"{option}: {error.messages[0]}") from None


def _read(name: str) -> str:
    path = Path(name)
    if path.stat().st_size > MOST_CLAIMS:
        raise ValueError
    return path.read_text(encoding="utf-8")


def _reading(name: str) -> AbstractContextManager[IO[str]]:
    return nullcontext(sys.stdin) if name == "-" else Path(name).open(encoding="utf-8-sig", newline="")


def find(text: str) -> User:
    """The person with this `sub`, e-mail address or phone number. Raises CommandError."""
    try:
        user = User.objects.filter(pk=UUID(text)).first()
    except ValueError:
        user = find_by_address(text)
    if user is None:
        raise CommandError("There is no such person: give an e-mail address, a phone number or a sub.")
    return user


def described(user: User) -> dict[str, Any]:
    """What the operator sees of a person."""
    return {
        "sub": str(user.pk),
        "email": user.email,
        "email_verified": user.email_verified,
        "phone": user.phone,
        "phone_verified": user.phone_verified,
        "active": user.is_active,
        "state": gate.refusal(user) or "ok",
        "has_password": user.has_usable_password(),
        "created_at": user.date_joined.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "claims": {name: value for name, value in standard.standard_claims(user).items() if name not in ("email", "email_verified")},
    }
