"""Reads the code of a guide in `docs/` and runs it as written.

Every fenced block of code has a comment above it that says what it is:

    <!-- test: provider -->      shell, in the project's folder, against the running provider; answers JSON
    <!-- test: file NAME -->     a file of the app
    <!-- test: app -->           shell, in the app's folder, before it starts
    <!-- test: serve -->         shell that keeps running: the app itself
    <!-- test: not executed: REASON -->

Two things are replaced, and nothing else: addresses (`localhost:8000` and `localhost:3000`, `3001` become free ports) and the
placeholder `…` on lines that take the client's id, the client's secret, or another secret.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.support.provider import WEB, Provider
from tests.support.servers import ROOT, child, free_port

DOCS = ROOT / "docs"
BLOCK = re.compile(r"(?:<!-- test: (?P<label>[^\n]*?) -->\n)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    label: str
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    text = (DOCS / page).read_text()
    return [Block(found["label"] or "", found["language"], found["text"]) for found in BLOCK.finditer(text)]


class Guide:
    """One page, in the hands of a reader who does what it says, in order, in an empty folder."""

    def __init__(self, page: str, provider: Provider, folder: Path) -> None:
        self.page, self.provider, self.folder = page, provider, folder
        self.ports = {"8000": provider.server.port, "3000": free_port(), "3001": free_port()}
        self.answers: list[Any] = []
        self.script: list[str] = []
        self.output = ""

    @property
    def app(self) -> str:
        return f"http://localhost:{self.ports['3000']}"

    def follow(self) -> str:
        """Do everything up to `serve`; returns what the app's shell blocks printed."""
        for block in blocks(self.page):
            kind, _, argument = block.label.partition(" ")
            if kind == "provider":
                self._on_the_provider(block.text)
            elif kind == "file":
                path = self.folder / argument
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self._filled(block.text))
            elif kind == "app":
                self._in_the_app(block.text)
        return self.output

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Run the `serve` block until the end of the `with`; gives the app's address."""
        [text] = [block.text for block in blocks(self.page) if block.label == "serve"]
        script = "\n".join(["set -e", *self.script, "exec " + self._filled(text).strip()])
        with child("app", ["sh", "-c", script], environ=self._environment(), cwd=self.folder) as server:
            try:
                server.wait_until(lambda: answers(self.app), seconds=60)
                yield self.app
            finally:
                server.kill()  # `npx` and `flask` start the app as a child that a signal to them would leave behind

    def _on_the_provider(self, text: str) -> None:
        # The guides write the interpreter that `make run` makes; the tests run in their own, and it has imported everything already.
        with TemporaryDirectory() as folder, self.provider.commands.in_a_shell(Path(folder)) as words:
            parts = self._filled(text).split(".venv/bin/python manage.py")
            assert not any(".venv" in part for part in parts), "another program of it"
            command = words.join(parts)
            done = subprocess.run(
                ["sh", "-ec", command],
                cwd=self.provider.root, env=self.provider.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.answers.append(json.loads(done.stdout) if "--json" in command else done.stdout)

    def _in_the_app(self, text: str) -> None:
        text = self._filled(text)
        # What a block exports stays for the blocks after it, as it does in a reader's terminal.
        exports = [line for line in text.splitlines() if line.startswith("export ")]
        done = subprocess.run(
            ["sh", "-c", "\n".join(["set -e", *self.script, text])],
            cwd=self.folder, env=self._environment(), capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        self.script += exports
        self.output += done.stdout

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("IDP_", "DJANGO_", "KAIROS_"))}
        return inherited | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "npm_config_package_lock": "false", "npm_config_audit": "false", "npm_config_fund": "false",
            "npm_config_update_notifier": "false", "NEXT_TELEMETRY_DISABLED": "1",
        }  # fmt: skip

    def _filled(self, text: str) -> str:
        for written, port in self.ports.items():
            text = re.sub(rf"(localhost|127\.0\.0\.1)(:|%3A){written}\b", rf"\g<1>\g<2>{port}", text)
            text = re.sub(rf"(port |listen\(){written}\b", rf"\g<1>{port}", text)
        return "\n".join(self._line(line) for line in text.split("\n"))

    def _line(self, line: str) -> str:
        if "…" not in line:
            return line
        name = line.split("…", maxsplit=1)[0].upper().replace("_", "")
        if "CLIENTSECRET" in name or "KAIROSSECRET" in name:
            secret = next(answer["client_secret"] for answer in self.answers if isinstance(answer, dict) and answer.get("client_secret"))
            return line.replace("…", secret)
        client = next(answer for answer in self.answers if isinstance(answer, dict) and "client_id" in answer)
        if "CLIENTID" in name or "KAIROSID" in name:
            return line.replace("…", client["client_id"])
        return line.replace("…", secrets.token_urlsafe(32))


def answers(address: str) -> bool:
    """Does anything speak HTTP there?"""
    try:
        WEB.get(address, timeout=5)
    except httpx.TransportError:
        return False
    return True
