"""The place of a network address, from a file of the deployment (`IDP_GEOIP_FILE`); nobody is ever asked.

The file is a MaxMind DB (GeoLite2 City, DB-IP City, or any with `city` and `country`). Without it, or for an address that it does not
hold, the place is empty and nothing else changes.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

import maxminddb
from django.conf import settings
from django.utils.translation import get_language

from .context import parse_address

log = logging.getLogger(__name__)


def of(address: str) -> str:
    """Town and country, like "Lisbon, Portugal", in the present language where the file has it; empty when unknown."""
    found = _record(address)
    parts = [_name(found.get(part)) for part in ("city", "country")]
    return ", ".join(part for part in parts if part)


def country(address: str) -> str:
    """The country's two letters (ISO 3166-1), or an empty text."""
    code = (_record(address).get("country") or {}).get("iso_code")
    return code if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha() else ""


def _record(address: str) -> dict[str, Any]:
    reader = _reader(settings.IDP.geoip_file)
    parsed = parse_address(address)
    if reader is None or parsed is None:
        return {}
    try:
        found = reader.get(str(parsed))
    except (ValueError, maxminddb.InvalidDatabaseError):  # an IPv6 address and a file of IPv4, or a damaged file
        return {}
    return found if isinstance(found, dict) else {}


@cache
def _reader(file: Path | None) -> maxminddb.Reader | None:
    if file is None:
        return None
    try:
        return maxminddb.open_database(file, maxminddb.MODE_MMAP)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        log.warning("IDP_GEOIP_FILE cannot be used: %s", type(error).__name__)
        return None


def _name(part: Any) -> str:
    names = part.get("names") if isinstance(part, dict) else None
    if not isinstance(names, dict):
        return ""
    language = (get_language() or "en").partition("-")[0]
    name = names.get(language) or names.get("en") or ""
    return name if isinstance(name, str) and name.isprintable() and len(name) <= 80 else ""
