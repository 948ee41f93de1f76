"""One colour of a deployment or an app becomes a whole palette, light and dark, that can be read (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

HEX = re.compile(r"#?([0-9a-fA-F]{6})", re.ASCII)
ENOUGH = 4.5  # WCAG 2.2, 1.4.3: text of normal size
WHITE, BLACK = "#ffffff", "#000000"
GROUND = "#f4f5f8"  # the lightest ground that accent text stands on in light mode is white, the darkest this one
DARK_SURFACE, DARK_INK = "#181c28", "#10131f"
MOST_RADIUS = 24


class Unreadable(ValueError):
    """The colour is none, or text in it could not be read. The sentence says what is missing."""


@dataclass(frozen=True, slots=True)
class Palette:
    """What the style sheet takes from one colour; each in light and in dark mode."""

    accent: str
    strong: str
    soft: str
    dark_accent: str
    dark_strong: str
    dark_soft: str


def checked(colour: str) -> str:
    """`colour` as `#rrggbb`. Raises Unreadable when it is no colour, or too light for links and buttons."""
    match = HEX.fullmatch(colour)
    if match is None:
        raise Unreadable("must be a colour like #3d4fd1")
    found = f"#{match[1].lower()}"
    ratio = contrast(found, GROUND)
    if ratio < ENOUGH:
        raise Unreadable(f"is too light to be read: its contrast with the page is {ratio:.1f}, at least {ENOUGH} is needed")
    return found


@lru_cache(maxsize=256)
def palette(colour: str) -> Palette:
    """All shades of a checked colour. Each is mixed until text in it, or on it, has enough contrast."""
    soft = next(shade for shade in _towards(colour, WHITE, start=0.9) if contrast(colour, shade) >= ENOUGH)
    dark_soft = _mix(DARK_SURFACE, colour, 0.2)
    grounds = (DARK_SURFACE, DARK_INK, dark_soft)
    dark = next(shade for shade in _towards(colour, WHITE, start=0.0) if all(contrast(shade, ground) >= ENOUGH for ground in grounds))
    return Palette(
        accent=colour,
        strong=_mix(colour, BLACK, 0.18),
        soft=soft,
        dark_accent=dark,
        dark_strong=_mix(dark, WHITE, 0.3),
        dark_soft=dark_soft,
    )


def stylesheet(colour: str, radius: int) -> str:
    """The custom properties of the one stylesheet, for this colour (checked) and these corners (pixels)."""
    shades = palette(colour)
    light = f"--accent:{shades.accent};--accent-strong:{shades.strong};--on-accent:{WHITE};--soft:{shades.soft}"
    dark = f"--accent:{shades.dark_accent};--accent-strong:{shades.dark_strong};--on-accent:{DARK_INK};--soft:{shades.dark_soft}"
    corners = f"--radius:{radius}px;--card-radius:{radius + 2 if radius else 0}px"
    return f":root{{{light};{corners}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"


def sheet_path(colour: str, radius: int | None, *, unless: tuple[str, int]) -> str:
    """The address of that stylesheet; empty where `unless` is wanted, the pair that the shipped one holds."""
    wanted = (colour or unless[0], unless[1] if radius is None else radius)
    return "" if wanted == unless else f"/brand/{wanted[0].lstrip('#')}-{wanted[1]}.css"


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = (channel / 255 for channel in _channels(colour))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mix(one: str, other: str, share: float) -> str:
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _towards(colour: str, end: str, *, start: float) -> Iterator[str]:
    steps = 50
    for step in range(int(start * steps), steps + 1):
        yield _mix(colour, end, step / steps)
