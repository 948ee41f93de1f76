"""A QR code as inline SVG: no image file, no script, nothing that leaves the page (the Content-Security-Policy allows no more)."""

from __future__ import annotations

import segno
from django.utils.safestring import SafeString, mark_safe


def svg(text: str) -> SafeString:
    """The drawing, dark on light whatever the page's colours: scanners expect it so."""
    drawn = segno.make(text, error="m", micro=False).svg_inline(scale=1, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr")
    return mark_safe(drawn)  # noqa: S308  # of segno's own making: numbers and fixed words
