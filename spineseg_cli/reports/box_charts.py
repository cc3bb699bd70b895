"""Box plots of several groups as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from spineseg_cli.reports.svg import COLORS, LEFT, TOP, Scale, draw_line, draw_svg, draw_text

PALETTE = (*COLORS, "#b08a1e", "#2a8c99", "#aa3355", "#667788")
GROUP_PX, NAMES_PX, LEAST_PX = 46, 84, 200
LONGEST_NAME = 26


def group_boxes(title: str, groups: Mapping[str, Sequence[float]], height: int = 230) -> str:
    """Return one box plot a group, side by side on one scale, as an SVG element.

    A box goes from the first quartile to the third, with a line at the median and a cross at the mean; whiskers go to the
    extremes, and every value is a point. Values that are not finite are left out; a group that has some says how many are shown.

    Parameters
    ----------
    title : str
    groups : mapping of str to sequence of float
        In order; names are written aslant below.
    height : int
        Of the chart without the names, px.
    """
    finite = {name: np.array([v for v in values if np.isfinite(v)], float) for name, values in groups.items()}
    scale = Scale(np.concatenate([*finite.values(), np.empty(0)]), height)
    width = max(LEAST_PX, LEFT + GROUP_PX * len(groups) + 12)
    parts = scale.axis(width - 8)
    for place, (name, values) in enumerate(finite.items()):
        color, center = PALETTE[place % len(PALETTE)], LEFT + GROUP_PX * (place + 0.5)
        if len(values):
            parts += _box(values, scale, center, color)
        shown = f"{name} ({len(values)}/{len(groups[name])})" if len(values) < len(groups[name]) else name
        parts.append(_aslant(center + 6, height - 18, shown, color))
    parts.append(draw_text((LEFT + width) / 2, TOP - 10, title, "middle", weight="bold"))
    return draw_svg(width, height + NAMES_PX, parts)


def _box(values: np.ndarray, scale: Scale, center: float, color: str) -> list[str]:
    low, q1, median, q3, high = (scale(v) for v in np.percentile(values, (0, 25, 50, 75, 100)))
    mean = scale(values.mean())
    spread = np.linspace(-9, 9, len(values)) if len(values) > 1 else np.zeros(1)
    return [
        draw_line(center, low, center, high, color),
        f'<rect x="{center - 15}" width="30" y="{q3:.1f}" height="{q1 - q3:.1f}" fill="{color}" fill-opacity="0.25"/>',
        draw_line(center - 15, median, center + 15, median, color, width=2.5),
        *(
            f'<circle cx="{center + s:.1f}" cy="{scale(v):.1f}" r="1.8" fill="{color}" fill-opacity="0.7"/>'
            for s, v in zip(spread, values, strict=True)
        ),
        draw_line(center - 4, mean - 4, center + 4, mean + 4, "#222"),
        draw_line(center - 4, mean + 4, center + 4, mean - 4, "#222"),
    ]


def _aslant(x: float, y: float, words: str, color: str) -> str:
    words = words if len(words) <= LONGEST_NAME else words[: LONGEST_NAME - 1] + "…"
    turn = f"rotate(-38 {x:.1f} {y:.1f})"
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="end" fill="{color}" transform="{turn}">{escape(words)}</text>'
