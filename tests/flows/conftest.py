"""See tests/support/world.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from idp.kernel import generations
from tests.support.world import World, signing_keys

__all__ = ["signing_keys", "world"]


@pytest.fixture
def world(signing_keys: None) -> Iterator[World]:
    """The provider behind Django's own door."""
    yield World("views", settings.IDP.issuer)
    generations.forget()
