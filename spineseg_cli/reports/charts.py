"""Charts as inline SVG, which a page shows without any other file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from spineseg_cli.reports.svg import BOTTOM, COLORS, LEFT, TOP, Scale, draw_line, draw_svg, draw_text


def line_chart(
    title: str,
    series: Mapping[str, Sequence[float]],
    marked: int | None = None,
    size: tuple[int, int] = (460, 260),
    first: int = 1,
) -> str:
    """Return lines over `first`, `first` + 1, ... as an SVG element.

    Parameters
    ----------
    title : str
    series : mapping of str to sequence of float
        The values of each line, by its name; gaps where they are not finite.
    marked : int, optional
        Place, from 0, at which a vertical line is drawn.
    size : (int, int)
        Width and height, px.
    first : int
        What the first place is called.
    """
    width, height = size
    count = max((len(values) for values in series.values()), default=0)
    scale = Scale([v for values in series.values() for v in values], height)
    right = width - 12

    def x(place):
        return LEFT + (right - LEFT) * (place + 0.5) / max(count, 1)

    parts = scale.axis(right)
    if marked is not None:
        parts.append(draw_line(x(marked), TOP, x(marked), height - BOTTOM, "#aaa", dashes=4))
    for number, (name, values) in enumerate(series.items()):
        color = COLORS[number % len(COLORS)]
        points = [f"{x(i):.1f},{scale(v):.1f}" for i, v in enumerate(values) if np.isfinite(v)]
        parts.append(f'<polyline fill="none" stroke="{color}" stroke-width="1.8" points="{" ".join(points)}"/>')
        parts += [f'<circle r="2" fill="{color}" cx="{p.split(",")[0]}" cy="{p.split(",")[1]}"/>' for p in points]
        parts.append(draw_text(LEFT + 8 + 110 * number, TOP - 6, name, color=color))
    for place in sorted({0, count // 2, count - 1} if count else ()):
        parts.append(draw_text(x(place), height - BOTTOM + 16, str(place + first), "middle"))
    parts.append(draw_text((LEFT + right) / 2, height - 3, title, "middle"))
    return draw_svg(width, height, parts)


def rate_chart(
    title: str,
    rates: Sequence[float],
    series: Mapping[str, Sequence[float]],
    marked: Sequence[float] = (),
    size: tuple[int, int] = (640, 360),
) -> str:
    """Return lines over rising rates, whose axis is logarithmic, as an SVG element; what is far above the first values is cut.

    Parameters
    ----------
    title : str
    rates : sequence of float
        Above 0.
    series : mapping of str to sequence of float
        A value a rate of each line, by its name.
    marked : sequence of float
        Rates at which a vertical line is drawn.
    size : (int, int)
        Width and height, px.
    """
    width, height = size
    right, powers = width - 12, np.log10(np.asarray(rates, float))
    values = np.concatenate([np.asarray(line, float) for line in series.values()])
    start, lowest = float(np.median(values[: max(len(values) // 10, 1)])), float(values.min())
    ceiling = start + (start - lowest or abs(start) or 1.0)
    scale = Scale(np.minimum(values, ceiling), height)

    def x(power):
        return LEFT + (right - LEFT) * (power - powers[0]) / (float(np.ptp(powers)) or 1)

    parts = scale.axis(right)
    parts += [draw_line(x(power), TOP, x(power), height - BOTTOM, "#aaa", dashes=4) for power in np.log10(marked)]
    for number, (name, line) in enumerate(series.items()):
        points = " ".join(f"{x(power):.1f},{scale(min(v, ceiling)):.1f}" for power, v in zip(powers, line, strict=True))
        parts.append(f'<polyline fill="none" stroke="{COLORS[number]}" stroke-width="1.4" points="{points}"/>')
        parts.append(draw_text(LEFT + 8 + 110 * number, TOP - 6, name, color=COLORS[number]))
    for power in range(int(np.ceil(powers[0] - 1e-6)), int(np.floor(powers[-1] + 1e-6)) + 1):
        parts.append(draw_text(x(power), height - BOTTOM + 16, f"1e{power}", "middle"))
    parts.append(draw_text((LEFT + right) / 2, height - 3, title, "middle"))
    return draw_svg(width, height, parts)


def paired_boxes(title: str, before: Sequence[float], after: Sequence[float], size: tuple[int, int] = (220, 240)) -> str:
    """Return box plots of paired values as an SVG element: quartiles, whiskers to the extremes, and a line a pair.

    Pairs with a value that is not finite are left out.
    """
    width, height = size
    pairs = np.array([pair for pair in zip(before, after, strict=True) if np.isfinite(pair).all()], float).reshape(-1, 2)
    scale = Scale(pairs.ravel(), height)
    centers = (LEFT + 42, width - 42)
    parts = scale.axis(width - 8)
    parts += [draw_line(centers[0], scale(old), centers[1], scale(new), "#bbb") for old, new in pairs]
    for center, values, name, color in zip(centers, pairs.T, ("before", "after"), COLORS, strict=False):
        if len(values):
            low, q1, median, q3, high = (scale(v) for v in np.percentile(values, (0, 25, 50, 75, 100)))
            parts += [
                draw_line(center, low, center, high, color),
                f'<rect x="{center - 18}" width="36" y="{q3:.1f}" height="{q1 - q3:.1f}" fill="{color}" fill-opacity="0.25"/>',
                draw_line(center - 18, median, center + 18, median, color, width=2.5),
            ]
            parts += [f'<circle cx="{center}" cy="{scale(v):.1f}" r="2.2" fill="{color}"/>' for v in values]
        parts.append(draw_text(center, height - BOTTOM + 16, name, "middle"))
    parts.append(draw_text(width / 2, TOP - 10, title, "middle", weight="bold"))
    return draw_svg(width, height, parts)


def side_by_side(charts: Sequence[str], columns: int = 2) -> str:
    """Return charts of one size, row by row, as one SVG element."""
    if not charts:
        return draw_svg(0, 0, [])
    width, height = (int(re.search(rf'{name}="(\d+)"', charts[0]).group(1)) for name in ("width", "height"))
    rows = -(-len(charts) // columns)
    placed = []
    for place, chart in enumerate(charts):
        row, column = divmod(place, columns)
        placed.append(chart.replace("<svg ", f'<svg x="{column * width}" y="{row * height}" ', 1))
    return draw_svg(width * min(columns, len(charts)), height * rows, placed)
