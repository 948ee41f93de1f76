"""The place of an address comes from a file, and nothing breaks without one."""

from __future__ import annotations

import pytest
from django.conf import settings

from idp.kernel import places
from tests.support import places_file

LISBON = {"city": {"names": {"en": "Lisbon", "de": "Lissabon"}}, "country": {"iso_code": "PT", "names": {"en": "Portugal"}}}


@pytest.fixture
def use(monkeypatch):
    def use(file):
        monkeypatch.setattr(settings, "IDP", settings.IDP.model_copy(update={"geoip_file": file}))

    return use


def test_town_and_country_in_the_present_language(use, tmp_path):
    use(places_file.write(tmp_path / "a.mmdb", {"203.0.113.0/24": LISBON, "198.51.100.7/32": {"country": {"names": {"en": "Chile"}}}}))
    assert places.of("203.0.113.9") == "Lisbon, Portugal"
    assert places.country("203.0.113.9") == "PT"
    assert places.of("198.51.100.7") == "Chile"
    assert places.country("198.51.100.7") == ""
    assert places.of("198.51.100.8") == ""
    for unknown in ("", "::1", "2001:db8::1", "no address", "x" * 300):
        assert places.of(unknown) == ""


def test_without_a_file_or_with_a_broken_one_there_is_no_place(use, tmp_path, caplog):
    use(None)
    assert places.of("203.0.113.9") == ""
    broken = tmp_path / "b.mmdb"
    broken.write_bytes(b"nothing")
    use(broken)
    assert places.of("203.0.113.9") == ""
    use(tmp_path / "missing.mmdb")
    assert places.of("203.0.113.9") == ""
    assert "cannot be used" in caplog.text


def test_strange_names_are_left_out(use, tmp_path):
    use(
        places_file.write(
            tmp_path / "c.mmdb", {"203.0.113.0/24": {"city": {"names": {"en": "a\nb"}}, "country": {"names": {"en": "Chile"}}}}
        )
    )
    assert places.of("203.0.113.1") == "Chile"
