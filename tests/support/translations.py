"""The texts that people see, and their translations in `idp/locale`. `make translations` runs this module.

Texts are found without GNU gettext: Babel reads the Python files, Django's own `templatize` the templates. New texts come into every
`django.po` without a translation, texts that are gone leave, and each `django.mo` is compiled anew.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "idp" / "locale"
LANGUAGES = ("ar", "de", "es", "fr")
KEYWORDS = {
    name: spec
    for base, spec in {"gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2), "npgettext": ((1, "c"), 2, 3)}.items()
    for name in (base, f"{base}_lazy")
} | {"_": None, "gettext_noop": None}
_LITERAL = r"""u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*\""""
_CALL = re.compile(rf"(?<!\w)(n?p?gettext|_)\(({_LITERAL})(?:,\s*({_LITERAL}))?(?:,\s*({_LITERAL}))?")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}|</?[a-z][^>]*>")

Text = tuple[str, str | tuple[str, ...]]  # context (empty for most) and the text, or singular and plural


@cache
def texts() -> dict[Text, str]:
    """Every text of the product and the first place where it stands."""
    found: dict[Text, str] = {}
    for path in sorted((ROOT / "idp").rglob("*.py")):
        with path.open("rb") as source:
            for _, message, _, context in extract("python", source, keywords=KEYWORDS):
                found.setdefault((context or "", message), str(path.relative_to(ROOT)))
    for path in sorted((ROOT / "templates").rglob("*")):
        if path.suffix in (".html", ".txt"):
            for text in _of_template(path):
                found.setdefault(text, str(path.relative_to(ROOT)))
    return found


def _of_template(path: Path) -> Iterator[Text]:
    for call in _CALL.finditer(templatize(path.read_text("utf-8"), origin=str(path))):
        words = [ast.literal_eval(literal) for literal in call.groups()[1:] if literal]
        context = words.pop(0) if call[1] in ("pgettext", "npgettext") else ""
        yield context, (words[0], words[1]) if call[1].startswith("n") else words[0]


def catalogue(language: str) -> Catalog:
    """The present translations of a language; empty when there is no file yet."""
    path = LOCALE / language / "LC_MESSAGES" / "django.po"
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as source:
        return read_po(source, locale=language)


def renewed(language: str) -> Catalog:
    """The catalogue with exactly the texts of today."""
    before, fresh = catalogue(language), Catalog(locale=language, project="Kairos ID", fuzzy=False)
    for (context, text), place in texts().items():
        known = before.get(text if isinstance(text, str) else text[0], context or None)
        same = known is not None and known.id == text
        fresh.add(text, known.string if known and same else None, locations=[(place, None)], context=context or None)  # type: ignore[list-item]
    return fresh


def as_po(found: Catalog) -> bytes:
    """The file that people edit. Without dates, so that nothing changes when nothing changed."""
    output = io.BytesIO()
    write_po(output, found, omit_header=True, sort_by_file=True, width=0)
    header = (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {found.locale}\\n"\n"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
        f'"Content-Transfer-Encoding: 8bit\\n"\n"Plural-Forms: nplurals={found.num_plurals}; plural={found.plural_expr};\\n"\n\n'
    )
    return header.encode() + output.getvalue()


def as_mo(found: Catalog) -> bytes:
    """The file that the server reads."""
    found.creation_date = found.revision_date = datetime(2026, 1, 1, tzinfo=UTC)  # the same bytes for the same texts
    output = io.BytesIO()
    write_mo(output, found)
    return output.getvalue()


def problems(found: Catalog) -> list[str]:
    """What is missing in a catalogue, or cannot be right: placeholders and tags must be those of the text."""
    complaints = []
    for message in found:
        if not message.id:
            continue
        if message.fuzzy:
            complaints.append(f"not certain: {message.id!r}")
        given = message.string if isinstance(message.string, tuple | list) else (message.string,)
        if not all(given) or (message.pluralizable and len(given) != found.num_plurals):
            complaints.append(f"no translation: {message.id!r}")
        else:
            complaints += [f"placeholders differ: {text!r}" for text in given if not _fits(message, str(text))]
    return complaints


def _fits(message: Message, text: str) -> bool:
    originals = message.id if isinstance(message.id, tuple | list) else (message.id,)
    wanted = [set(PLACEHOLDER.findall(str(original))) for original in originals]
    there = set(PLACEHOLDER.findall(text))
    if message.pluralizable:  # a form for one or for two may leave the number out
        return there <= wanted[-1] | wanted[0] and {mark for mark in wanted[-1] if "count" not in mark and mark.startswith("<")} <= there
    return there == wanted[0]


def main() -> int:
    """Renew every catalogue; says what is left to translate."""
    left = 0
    for language in LANGUAGES:
        folder = LOCALE / language / "LC_MESSAGES"
        folder.mkdir(parents=True, exist_ok=True)
        found = renewed(language)
        (folder / "django.po").write_bytes(as_po(found))
        (folder / "django.mo").write_bytes(as_mo(found))
        complaints = problems(found)
        left += len(complaints)
        sys.stdout.write(f"{language}: {len(found)} texts, {len(complaints)} to do\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
