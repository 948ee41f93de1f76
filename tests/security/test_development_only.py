"""What helps in development does not exist in production: the playground would register a client, the inbox shows codes and links."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASK = """
import django
django.setup()
from django.apps import apps
from django.urls import Resolver404, resolve
assert not apps.is_installed("idp.playground"), "installed"
assert resolve("/account")
for path in ("/playground/", "/playground/start", "/playground/callback", "/dev/inbox", "/dev/inbox.json", "/dev/inbox/x.html"):
    try:
        resolve(path)
    except Resolver404:
        continue
    raise AssertionError(path)
"""


@pytest.mark.slow
def test_neither_playground_nor_inbox_in_production():
    command = [
        sys.executable,
        "-m",
        "tests.support.production",
        "-c",
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'idp.settings'" + ASK,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
