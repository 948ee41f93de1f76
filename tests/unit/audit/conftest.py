"""Signing keys (tests/support/world.py)."""

from tests.support.world import signing_keys

__all__ = ["signing_keys"]
