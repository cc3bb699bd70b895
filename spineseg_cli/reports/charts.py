"""Charts as inline SVG, which a page shows without any other file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

COLOURS = ("#3366aa", "#cc5522", "#338855", "#996699")
LEFT, TOP, BOTTOM = 62, 28, 34  # margins, px


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
    scale = _Scale([v for values in series.values() for v in values], height)
    right = width - 12

    def x(place):
        return LEFT + (right - LEFT) * (place + 0.5) / max(count, 1)

    parts = scale.axis(right)
    if marked is not None:
        parts.append(_line(x(marked), TOP, x(marked), height - BOTTOM, "#aaa", dashes=4))
    for number, (name, values) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [f"{x(i):.1f},{scale(v):.1f}" for i, v in enumerate(values) if np.isfinite(v)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" points="{" ".join(points)}"/>')
        parts += [f'<circle r="2" fill="{colour}" cx="{p.split(",")[0]}" cy="{p.split(",")[1]}"/>' for p in points]
        parts.append(_text(LEFT + 8 + 110 * number, TOP - 6, name, colour=colour))
    for place in sorted({0, count // 2, count - 1} if count else ()):
        parts.append(_text(x(place), height - BOTTOM + 16, str(place + first), "middle"))
    parts.append(_text((LEFT + right) / 2, height - 3, title, "middle"))
    return _svg(width, height, parts)


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
    scale = _Scale(np.minimum(values, ceiling), height)

    def x(power):
        return LEFT + (right - LEFT) * (power - powers[0]) / (float(np.ptp(powers)) or 1)

    parts = scale.axis(right)
    parts += [_line(x(power), TOP, x(power), height - BOTTOM, "#aaa", dashes=4) for power in np.log10(marked)]
    for number, (name, line) in enumerate(series.items()):
        points = " ".join(f"{x(power):.1f},{scale(min(v, ceiling)):.1f}" for power, v in zip(powers, line, strict=True))
        parts.append(f'<polyline fill="none" stroke="{COLOURS[number]}" stroke-width="1.4" points="{points}"/>')
        parts.append(_text(LEFT + 8 + 110 * number, TOP - 6, name, colour=COLOURS[number]))
    for power in range(int(np.ceil(powers[0] - 1e-6)), int(np.floor(powers[-1] + 1e-6)) + 1):
        parts.append(_text(x(power), height - BOTTOM + 16, f"1e{power}", "middle"))
    parts.append(_text((LEFT + right) / 2, height - 3, title, "middle"))
    return _svg(width, height, parts)


def paired_boxes(title: str, before: Sequence[float], after: Sequence[float], size: tuple[int, int] = (220, 240)) -> str:
    """Return box plots of paired values as an SVG element: quartiles, whiskers to the extremes, and a line a pair.

    Pairs with a value that is not finite are left out.
    """
    width, height = size
    pairs = np.array([pair for pair in zip(before, after, strict=True) if np.isfinite(pair).all()], float).reshape(-1, 2)
    scale = _Scale(pairs.ravel(), height)
    centres = (LEFT + 42, width - 42)
    parts = scale.axis(width - 8)
    parts += [_line(centres[0], scale(old), centres[1], scale(new), "#bbb") for old, new in pairs]
    for centre, values, name, colour in zip(centres, pairs.T, ("before", "after"), COLOURS, strict=False):
        if len(values):
            low, q1, median, q3, high = (scale(v) for v in np.percentile(values, (0, 25, 50, 75, 100)))
            parts += [
                _line(centre, low, centre, high, colour),
                f'<rect x="{centre - 18}" width="36" y="{q3:.1f}" height="{q1 - q3:.1f}" fill="{colour}" fill-opacity="0.25"/>',
                _line(centre - 18, median, centre + 18, median, colour, width=2.5),
            ]
            parts += [f'<circle cx="{centre}" cy="{scale(v):.1f}" r="2.2" fill="{colour}"/>' for v in values]
        parts.append(_text(centre, height - BOTTOM + 16, name, "middle"))
    parts.append(_text(width / 2, TOP - 10, title, "middle", weight="bold"))
    return _svg(width, height, parts)


def side_by_side(charts: Sequence[str], columns: int = 2) -> str:
    """Return charts of one size, row by row, as one SVG element."""
    if not charts:
        return _svg(0, 0, [])
    width, height = (int(re.search(rf'{name}="(\d+)"', charts[0]).group(1)) for name in ("width", "height"))
    rows = -(-len(charts) // columns)
    placed = []
    for place, chart in enumerate(charts):
        row, column = divmod(place, columns)
        placed.append(chart.replace("<svg ", f'<svg x="{column * width}" y="{row * height}" ', 1))
    return _svg(width * min(columns, len(charts)), height * rows, placed)


class _Scale:
    """From values to heights in a chart, px."""

    def __init__(self, values: Sequence[float], height: int):
        finite = [v for v in values if np.isfinite(v)] or [0.0]
        margin = (max(finite) - min(finite)) * 0.06 or 0.05 * abs(max(finite)) or 1.0
        self.low, self.high, self.height = min(finite) - margin, max(finite) + margin, height

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.height - BOTTOM - share * (self.height - BOTTOM - TOP)

    def axis(self, right: float) -> list[str]:
        """Return lines across the chart at round values, and these."""
        span = self.high - self.low
        power = 10.0 ** np.floor(np.log10(span))
        step = next(power * part for part in (0.2, 0.5, 1, 2) if span / (power * part) < 6)
        ticks = np.arange(np.ceil(self.low / step), self.high / step) * step
        lines = [_line(LEFT, self(tick), right, self(tick), "#e4e4e4") for tick in ticks]
        return lines + [_text(LEFT - 6, self(tick) + 4, f"{tick:.6g}", "end") for tick in ticks]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1, dashes: int = 0) -> str:
    style = f'stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dashes or "none"}"'
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#333", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">{escape(text)}</text>'


def _svg(width: int, height: int, parts: list[str]) -> str:
    style = "font: 11px sans-serif; background: #fff"
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" style="{style}">\n{body}\n</svg>\n'
