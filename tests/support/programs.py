"""Which foreign programs this machine has, and what to install for those it lacks.

Tests say what they need with `@pytest.mark.needs("chromium", "node")`; tests/conftest.py skips them, with the sentence from
here, when it is missing. `python -m tests.support.programs postgresql redis` answers for shell scripts by its exit status.
"""

from __future__ import annotations

import glob
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """A program by the names and places it goes by; `package` is what Debian, Ubuntu and Homebrew call it."""

    names: tuple[str, ...]
    places: tuple[str, ...]
    package: str


PROGRAMS = {
    "postgresql": Program(
        ("postgres",), ("/usr/lib/postgresql/*/bin/postgres", "/opt/homebrew/opt/postgresql@*/bin/postgres"), "postgresql"
    ),
    "redis": Program(("redis-server",), ("/opt/homebrew/bin/redis-server",), "redis-server"),
    "chromium": Program(
        ("chromium", "chromium-browser", "google-chrome"),
        ("/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
        "chromium",
    ),
    "chromium-headless-shell": Program(("chromium-headless-shell",), (), "chromium-headless-shell"),
    "nginx": Program(("nginx",), ("/usr/sbin/nginx", "/opt/homebrew/bin/nginx"), "nginx"),
    "node": Program(("node",), (), "nodejs"),
    "npm": Program(("npm",), (), "npm"),
    "apache2": Program(("apache2",), ("/usr/sbin/apache2",), "apache2 libapache2-mod-auth-openidc"),
    "git": Program(("git",), (), "git"),
    "make": Program(("make",), (), "make"),
    "curl": Program(("curl",), (), "curl"),
    # Not packaged by Debian, where `hydra` is another program: KAIROS_HYDRA names it. For `make bench-peers` alone.
    "hydra": Program(("ory-hydra",), (), "Ory Hydra, from its own project"),
    # Not packaged by Debian; tests/docs/oauth2-proxy/build makes it with Go 1.25 or newer.
    "oauth2-proxy": Program(("oauth2-proxy",), (str(Path.home() / ".cache/kairos-id/oauth2-proxy"),), "oauth2-proxy"),
}


def find(name: str) -> Path | None:
    """Where the program `name` (a key of PROGRAMS) is, or None. `KAIROS_CHROMIUM=/path` and the like come first (`-` is `_` there)."""
    program = PROGRAMS[name]
    if chosen := os.environ.get(f"KAIROS_{name.upper().replace('-', '_')}"):
        return Path(chosen)
    for candidate in program.names:
        if found := shutil.which(candidate):
            return Path(found)
    for pattern in program.places:
        # The newest version last: /usr/lib/postgresql/15 before /usr/lib/postgresql/17.
        for place in sorted(glob.glob(pattern), reverse=True):  # noqa: PTH207  absolute patterns
            if os.access(place, os.X_OK):
                return Path(place)
    return None


def missing(names: Sequence[str]) -> str:
    """One sentence that names what is missing and the package to install; empty when everything is there."""
    absent = [name for name in names if find(name) is None]
    if not absent:
        return ""
    packages = " ".join(PROGRAMS[name].package for name in absent)
    return f"{', '.join(absent)} not found on this machine (Debian, Ubuntu: apt install {packages})"


if __name__ == "__main__":
    if sentence := missing(sys.argv[1:]):
        print(sentence)
        sys.exit(1)
