"""See tests/support/world.py."""

from tests.support.world import ada, browser, shop, signed_in, signing_keys, world

__all__ = ["ada", "browser", "shop", "signed_in", "signing_keys", "world"]
