"""The small line below a key figure: drawn here as a picture, so that no chart library is loaded and run for it.

A picture has its words: what it shows is said to whoever does not see it, and to whoever points at it.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from dashboard import ink

WIDTH, HEIGHT = 240, 44
_EDGE = 3.0  # keeps the line's own width inside


def picture(values: Sequence[float], words: str) -> str:
    """Return an <img> of the line and the area below it, as wide as its card; lowest at the bottom, not at zero."""
    low, high = min(values), max(values)
    step, room = WIDTH / (len(values) - 1), HEIGHT - 2 * _EDGE
    if low == high:
        low, high = low - 1, high + 1  # what does not change lies in the middle
    points = [(at * step, HEIGHT - _EDGE - (value - low) / (high - low) * room) for at, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">'
        f'<polygon points="0,{HEIGHT} {line} {WIDTH},{HEIGHT}" fill="{ink.READ}" fill-opacity="0.14"/>'
        f'<polyline points="{line}" fill="none" stroke="{ink.READ}" stroke-width="2" stroke-linejoin="round" '
        'vector-effect="non-scaling-stroke"/></svg>'
    )
    source, said = base64.b64encode(drawn.encode()).decode(), html.escape(words)
    style = f"display:block;width:100%;height:{HEIGHT}px"
    return f'<img src="data:image/svg+xml;base64,{source}" alt="{said}" title="{said}" style="{style}">'
