"""`manage.py` in one environment, many times: a process that has imported everything forks for each command.

The command itself is what `python manage.py …` runs, with its own standard streams and its own exit; only the imports, a second of
work, are not repeated. As a program it reads one question a line and answers with a line: `python -m tests.support.commands`.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import shlex
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread
from typing import IO, Any


class Commands:
    """The waiting process; started when the first command is asked for."""

    def __init__(self, environment: Mapping[str, str], *, root: Path, python: str) -> None:
        self.environment, self.root, self.python = dict(environment), root, python
        self.process: subprocess.Popen[str] | None = None
        self.lock = Lock()

    def run(self, arguments: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
        """Run `manage.py` with these arguments and `given` on its standard input; returns what it printed and its exit status."""
        with self.lock:
            if self.process is None:
                self.process = subprocess.Popen(
                    [self.python, "-m", "tests.support.commands"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment, cwd=self.root,
                )  # fmt: skip
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            self.process.stdin.write(json.dumps({"arguments": list(arguments), "given": given}) + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        return subprocess.CompletedProcess(["manage.py", *arguments], answer["status"], answer["output"], answer["errors"])

    @contextmanager
    def in_a_shell(self, folder: Path) -> Iterator[str]:
        """The words that a shell writes for `python manage.py` to have its command run here, with what is piped into it."""
        address = str(folder / "commands")
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(address)
            door.listen()
            Thread(target=self._answer, args=(door,), daemon=True).start()
            try:
                yield shlex.join([sys.executable, "-I", "-S", str(Path(__file__).with_name("commands_shell.py")), address])
            finally:
                door.shutdown(socket.SHUT_RDWR)  # the thread stops waiting

    def _answer(self, door: socket.socket) -> None:
        while True:
            try:
                caller, _ = door.accept()
            except OSError:
                return
            with caller, caller.makefile("rw") as line:
                asked = json.loads(line.readline())
                done = self.run(asked["arguments"], asked["given"])
                line.write(json.dumps([done.returncode, done.stdout, done.stderr]) + "\n")

    def close(self) -> None:
        if self.process is not None:
            self.process.communicate()


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "idp.settings")
    import django
    from django.core.management import get_commands, load_command_class

    django.setup()
    for name, app in get_commands().items():
        if str(app).startswith("idp."):
            load_command_class(str(app), name)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            given.write(asked["given"].encode())
            given.seek(0)
            child = os.fork()
            if not child:
                _be_manage_py(asked["arguments"], given, output, errors)
            _, status = os.waitpid(child, 0)
            answer = {"status": os.waitstatus_to_exitcode(status), "output": _text(output), "errors": _text(errors)}
        print(json.dumps(answer), file=answers, flush=True)


def _be_manage_py(arguments: Sequence[str], given: IO[bytes], output: IO[bytes], errors: IO[bytes]) -> None:
    for number, file in enumerate((given, output, errors)):
        os.dup2(file.fileno(), number)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", errors="backslashreplace")
    sys.argv = ["manage.py", *arguments]
    status: Any = 0
    try:
        runpy.run_path("manage.py", run_name="__main__")
    except SystemExit as stop:
        status = stop.code
        if isinstance(status, str):
            sys.stderr.write(f"{status}\n")
            status = 1
    except BaseException:  # noqa: BLE001  the interpreter's own end of a program
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    main()
