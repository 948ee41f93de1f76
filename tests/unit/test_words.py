"""Every word that a template shows goes through gettext, so that a translation can be complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.template.base import Lexer, TokenType

TEMPLATES = Path(__file__).parents[2] / "templates"
# Units; names of the protocol have an underscore, or stand in an element of class "mono".
SAME_EVERYWHERE = {"UTC", "id", "sub", "query", "fragment"}
MADE_FOR_MACHINES = {"oidc/check_session.html"}
SPOKEN_ATTRIBUTE = re.compile(r'(?:aria-label|title|placeholder|alt)="([^"]+)"')
PAGES = sorted({str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html") if "mail" not in path.parts} - MADE_FOR_MACHINES)


def _bare_words(source: str) -> set[str]:
    """Words in the text and in the spoken attributes of a template that no translation tag surrounds."""
    kept, hidden = [], ""
    for token in Lexer(source).tokenize():
        word = token.contents.split()[0] if token.token_type == TokenType.BLOCK else ""
        if word in ("blocktranslate", "comment"):
            hidden = "end" + word
        elif hidden and word == hidden:
            hidden = ""
        elif token.token_type == TokenType.TEXT and not hidden:
            kept.append(token.contents)
    text = "".join(kept)
    spoken = " ".join(SPOKEN_ATTRIBUTE.findall(text))
    names = re.sub(r"<(code|pre|style)\b.*?</\1>|<(\w+) [^>]*\bmono\b[^>]*>.*?</\2>", " ", text, flags=re.DOTALL)
    visible = re.sub(r"<[^>]*>", " ", names)
    words = re.findall(r"[^\W\d_]\w+", f"{visible} {spoken}")
    return {word for word in words if "_" not in word} - SAME_EVERYWHERE


def test_the_search_finds_bare_words() -> None:
    assert _bare_words('<p class="x">{% translate "a word" %} Bare</p><a title="Spoken">{{ name }}</a>') == {"Bare", "Spoken"}


@pytest.mark.parametrize("name", PAGES)
def test_no_word_is_left_out(name: str) -> None:
    assert _bare_words((TEMPLATES / name).read_text()) == set()
