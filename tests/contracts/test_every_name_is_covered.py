"""No name of allauth, django-otp or fido2 is used here without a test in this folder that says what it must be like."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
# Each has a folder of its own beside this file.
PACKAGES = ("allauth", "django_otp", "fido2")


@cache
def telling(path: Path) -> list[ast.AST]:
    """What in a file may name something of another package."""
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom | ast.Import | ast.Attribute)]


def imported(path: Path, package: str) -> set[str]:
    """Every `module:name` of `package` that a file imports, and every attribute that it takes from the package itself."""
    found, aliases = set(), set()
    for node in telling(path):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module and node.module.split(".")[0] == package:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name for alias in node.names if alias.name.split(".")[0] == package}
    for node in telling(path):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            found.add(node.attr)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_that_we_import_is_in_a_contract_test(package: str) -> None:
    used = set[str]()
    # What is named by a text: apps, middleware, back ends.
    listed = [*settings.INSTALLED_APPS, *settings.MIDDLEWARE, *settings.AUTHENTICATION_BACKENDS]
    used |= {name for name in listed if name.split(".")[0] == package}
    for path in (ROOT / "idp").rglob("*.py"):
        used |= imported(path, package)
    assert used
    contracts = "\n".join(path.read_text() for path in (ROOT / "tests" / "contracts" / package).rglob("*.py"))
    missing = sorted(name for name in used if name not in contracts)
    assert missing == []
