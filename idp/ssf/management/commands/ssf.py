"""`manage.py ssf list|show|enable|pause|disable|delete`: streams of receivers, for the operator."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, ClassVar

from django.core.management.base import CommandError

from idp.kernel.commands import OperatorCommand
from idp.ssf import streams
from idp.ssf.models import Stream


class Command(OperatorCommand):
    help = "Show Shared Signals streams, pause them, delete them."
    subcommands: ClassVar[dict[str, tuple[str, str, str]]] = {
        "list": ("List all streams.", "arguments_none", "list_streams"),
        "show": ("Show a stream.", "arguments_stream", "show_stream"),
        "enable": ("Let a stream deliver again; what waited leaves now.", "arguments_status", "set_status"),
        "pause": ("Let events of a stream wait.", "arguments_status", "set_status"),
        "disable": ("Stop a stream: what happens meanwhile is never told.", "arguments_status", "set_status"),
        "delete": ("Delete a stream with everything that waits for it.", "arguments_stream", "delete"),
    }

    def arguments_none(self, parser: ArgumentParser) -> None:
        """`list` takes nothing."""

    def arguments_stream(self, parser: ArgumentParser) -> None:
        parser.add_argument("stream", metavar="STREAM_ID")

    def arguments_status(self, parser: ArgumentParser) -> None:
        self.arguments_stream(parser)
        parser.add_argument("--reason", default="", metavar="TEXT", help="told to the receiver")

    def list_streams(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"streams": [described(stream) for stream in Stream.objects.order_by("created_at")]}

    def show_stream(self, options: dict[str, Any]) -> dict[str, Any]:
        return described(find(options["stream"]))

    def set_status(self, options: dict[str, Any]) -> dict[str, Any]:
        stream = find(options["stream"])
        status = {"enable": "enabled", "pause": "paused", "disable": "disabled"}[options["subcommand"]]
        try:
            streams.set_status(stream, status, reason=options["reason"], ours=True)
        except streams.Invalid as error:
            raise CommandError(f"{error}.") from None
        return described(stream)

    def delete(self, options: dict[str, Any]) -> dict[str, Any]:
        stream = find(options["stream"])
        streams.delete(stream)
        return {"stream_id": options["stream"], "deleted": True}

    def show(self, subcommand: str, answer: dict[str, Any]) -> None:
        """One stream per line."""
        if subcommand != "list":
            super().show(subcommand, answer)
            return
        for row in answer["streams"]:
            self.stdout.write(f"{row['stream_id']}  {row['aud']}  {row['status']}  {row['delivery']['method']}  waiting: {row['waiting']}")


def find(stream_id: str) -> Stream:
    """The stream. Raises CommandError."""
    stream = Stream.objects.filter(pk=stream_id).first() if "\x00" not in stream_id else None
    if stream is None:
        raise CommandError("There is no such stream.")
    return stream


def described(stream: Stream) -> dict[str, Any]:
    """A stream as its receiver sees it, with its status and how many tokens wait to be polled."""
    return {**streams.describe(stream), "status": stream.status, "reason": stream.reason, "waiting": stream.waiting.count()}
