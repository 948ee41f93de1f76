"""Every text that people see is there in every language, and what the server reads is what people translated."""

from __future__ import annotations

import gettext

import pytest
from django.conf import settings

from tests.support import translations


def test_these_are_the_languages():
    assert sorted(code for code, _ in settings.LANGUAGES) == sorted(("en", *translations.LANGUAGES))


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_nothing_is_missing(language):
    found = translations.renewed(language)
    assert translations.problems(found) == []
    kept = (translations.LOCALE / language / "LC_MESSAGES" / "django.po").read_bytes()
    assert kept == translations.as_po(found), "run `make translations`"


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_it_is_compiled(language):
    with (translations.LOCALE / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for message in translations.catalogue(language):
        if message.id and not message.pluralizable and not message.context:
            assert compiled.gettext(str(message.id)) == message.string
    assert compiled.ngettext("%(count)d passkey", "%(count)d passkeys", 5) != "%(count)d passkeys"
