"""Pages that have to lead on by script do so in every browser: what is newer than ECMAScript 5 stops the whole file in an old one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "static" / "kairos"
NEWER = re.compile(r"=>|\?\.|\?\?|`|\b(?:const|let|class|async|await|import|export)\b")


@pytest.mark.parametrize("name", ["form-post.js", "logout.js"])
def test_protocol_pages_use_plain_syntax(name: str) -> None:
    """OAuth 2.0 Form Post Response Mode 2; OpenID Connect Front-Channel Logout 3."""
    code = re.sub(r"//.*", "", (FOLDER / name).read_text("utf-8"))
    assert not NEWER.findall(code)
