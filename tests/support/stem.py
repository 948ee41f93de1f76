"""A process with the provider loaded, from which others branch off: `manage.py` in one environment, without two seconds of loading each.

    with stem(environ) as grown:
        process = grown.branch("worker", "--concurrency", "1", log=path)
        process.send_signal(signal.SIGKILL)      # as with subprocess.Popen

A branch is a process like any other, with a pid and memory of its own; what it does begins with the first line of `manage.py`'s
command. The web server makes its own processes in the same way (idp/operations/serving.py). Branches go when the stem goes.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


class Branch:
    """What is used of subprocess.Popen."""

    def __init__(self, stem: Stem, pid: int, args: list[str]) -> None:
        self.stem, self.pid, self.args = stem, pid, args
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status (negative = signal), or None while it runs."""
        if self.returncode is None:
            self.returncode = self.stem.ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired after `timeout` seconds."""
        ends = time.monotonic() + timeout if timeout is not None else float("inf")
        while (status := self.poll()) is None:
            if time.monotonic() >= ends:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(0.02)
        return status

    def send_signal(self, number: int) -> None:
        """Nothing, once it has ended: nobody else gets its pid before `poll` has told so."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Stem:
    """Speaks with the process: one line of JSON for a question, one for the answer."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process, self._one_at_a_time = process, threading.Lock()

    def ask(self, **question: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def branch(self, *arguments: str, log: Path) -> Branch:
        """`manage.py` with these arguments; its output goes to the end of `log`."""
        log.touch(mode=0o600)
        args = [str(ROOT / "manage.py"), *arguments]
        return Branch(self, self.ask(args=args, log=str(log)), args)


@contextmanager
def stem(environ: Mapping[str, str]) -> Iterator[Stem]:
    """One for this environment."""
    command = [sys.executable, "-m", "tests.support.stem"]
    with subprocess.Popen(command, env=dict(environ), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Stem(process)
        finally:
            process.kill()


def _main() -> None:
    """Load, then answer until standard input ends; in a branch, become what was asked for."""
    import django
    from django.conf import settings
    from django.urls import get_resolver
    from django.utils.module_loading import import_string

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "idp.settings")
    django.setup()
    get_resolver().url_patterns  # noqa: B018
    import_string(settings.TASK_APP).loader.import_default_modules()
    gc.freeze()
    for line in sys.stdin:
        question = json.loads(line)
        if "poll" in question:
            ended, status = os.waitpid(question["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        else:
            answer = os.fork()
            if answer == 0:
                break
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    else:
        return
    _become(question["args"], question["log"])


def _become(args: list[str], log: str) -> None:
    from tests.support.servers import stop_with_parent

    stop_with_parent()
    for path, mode, descriptors in ((os.devnull, os.O_RDONLY, [0]), (log, os.O_WRONLY | os.O_APPEND, [1, 2])):
        opened = os.open(path, mode)
        for descriptor in descriptors:
            os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = args
    runpy.run_path(args[0], run_name="__main__")


if __name__ == "__main__":
    _main()
