"""Every command that may change something leaves an event before it runs; what it then does is under the same request id."""

from __future__ import annotations

import getpass

from idp.events import emit
from idp.events.catalogue import OperatorCommandRun


def record(command: str) -> None:
    """Record that somebody at the machine runs `manage.py <command>`, in a transaction of its own."""
    emit(OperatorCommandRun(command=command, account=account()))


def account() -> str:
    """The account of the operating system that runs the command; empty when it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
