"""A colour becomes a palette in which everything can be read, or it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from idp.kernel import colours


@pytest.mark.parametrize(("one", "other", "ratio"), [("#000000", "#ffffff", 21), ("#ffffff", "#ffffff", 1), ("#767676", "#ffffff", 4.54)])
def test_contrast_is_that_of_wcag(one, other, ratio):
    assert colours.contrast(one, other) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize("colour", ["#ffff00", "#98a5ff", "#fff", "red", "", "3d4fd1; }", "#3d4fd1\n", "#3D4FG1", "#\uff13d4fd1"])
def test_what_cannot_be_read_or_is_no_colour_is_refused(colour):
    with pytest.raises(colours.Unreadable):
        colours.checked(colour)


@given(strategies.integers(0, 0xFFFFFF))
def test_every_accepted_colour_gives_a_palette_that_can_be_read(number):
    try:
        colour = colours.checked(f"{number:06x}")
    except colours.Unreadable:
        return
    shades = colours.palette(colour)
    for text, ground in (
        (shades.accent, "#ffffff"),
        (shades.accent, "#f4f5f8"),
        (shades.accent, shades.soft),
        ("#ffffff", shades.accent),
        ("#ffffff", shades.strong),
        (shades.strong, "#f4f5f8"),
        (shades.dark_accent, "#0f121b"),
        (shades.dark_accent, "#181c28"),
        (shades.dark_accent, shades.dark_soft),
        ("#10131f", shades.dark_accent),
        ("#10131f", shades.dark_strong),
    ):
        assert colours.contrast(text, ground) >= 4.5, (colour, text, ground)


def test_the_stylesheet_holds_both_modes():
    sheet = colours.stylesheet("#0a7f3f", 0)
    assert "--accent:#0a7f3f" in sheet
    assert "prefers-color-scheme:dark" in sheet
    assert "--card-radius:0px" in sheet
