"""Pictures of what a browser test saw, for a person to look at: kept in the folder `KAIROS_SCREENSHOTS`, where that is set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def keep(page: Page, name: str) -> None:
    """The whole page, as it is now, as `name.png`."""
    chosen = os.environ.get("KAIROS_SCREENSHOTS")
    if not chosen:  # nobody looks: each costs more than all other questions to the page
        return
    folder = Path(chosen)
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)
