"""Pictures of what a browser test saw, kept for a person to look at: `.screenshots/` of the checkout, or `KAIROS_SCREENSHOTS`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .servers import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page


def keep(page: Page, name: str) -> None:
    """The whole page, as it is now, as `name.png`."""
    folder = Path(os.environ.get("KAIROS_SCREENSHOTS") or ROOT / ".screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)
