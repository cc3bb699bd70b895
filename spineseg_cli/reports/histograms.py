"""Histograms of a score as inline SVG, with the quartiles that a table of it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spineseg_cli.reports.charts import side_by_side
from spineseg_cli.reports.svg import BOTTOM, COLORS, LEFT, TOP, draw_line, draw_svg, draw_text

QUARTILES = (25, 50, 75)


def histograms(groups: Mapping[str, Sequence[float]], columns: int = 3) -> str:
    """Return a histogram of each group on one axis, row by row, as one SVG element.

    The axis goes from the lowest finite value of all to the highest, each rounded outwards to a tenth of the power of ten that
    none exceeds: for scores like 0.61 and 0.93, from 0.6 to 1.

    Parameters
    ----------
    groups : mapping of str to sequence of float
        By name, as `histogram` takes them.
    columns : int
        Charts in a row.
    """
    limits = _limits([value for values in groups.values() for value in values if np.isfinite(value)])
    return side_by_side([histogram(name, values, limits) for name, values in groups.items()], columns)


def histogram(
    title: str, values: Sequence[float], limits: tuple[float, float] = (0, 1), bins: int = 20, size: tuple[int, int] = (300, 220)
) -> str:
    """Return a histogram as an SVG element: the count in each bin, and dashed lines at P25, P50 and P75.

    Parameters
    ----------
    title : str
    values : sequence of float
        Those that are not finite are left out. How many are left is written above.
    limits : (float, float)
        Of the axis; values beyond are counted in the first and the last bin.
    bins : int
        Bins of one width between the limits, each with its lower edge; the last with its upper one too.
    size : (int, int)
        Width and height, px.
    """
    width, height = size
    low, high = limits
    finite = np.array([value for value in values if np.isfinite(value)], float)
    counts, edges = np.histogram(finite.clip(low, high), bins, limits)
    most, right, floor = max(counts.max(), 1), width - 12, height - BOTTOM

    def x(value):
        return LEFT + (right - LEFT) * (min(max(value, low), high) - low) / (high - low)

    def y(count):
        return floor - (floor - TOP) * count / most

    parts = [draw_line(LEFT, floor, right, floor, "#aaa")]
    parts += [draw_text(LEFT - 6, y(count) + 4, str(count), "end") for count in (0, most)]
    for count, start, end in zip(counts, edges, edges[1:], strict=False):
        if count:
            place = f'x="{x(start) + 0.5:.1f}" y="{y(count):.1f}"'
            extent = f'width="{x(end) - x(start) - 1:.1f}" height="{floor - y(count):.1f}"'
            parts.append(f'<rect {place} {extent} fill="{COLORS[0]}" fill-opacity="0.6"/>')
    for quartile in np.percentile(finite, QUARTILES) if len(finite) else ():
        parts.append(draw_line(x(quartile), TOP, x(quartile), floor, COLORS[1], dashes=4))
    for value in (low, (low + high) / 2, high):
        parts.append(draw_text(x(value), floor + 14, f"{value:g}", "middle"))
    parts.append(draw_text(LEFT, TOP - 10, f"n = {len(finite)}"))
    parts.append(draw_text((LEFT + right) / 2, height - 3, title, "middle"))
    return draw_svg(width, height, parts)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 1.0
    step = 10.0 ** np.ceil(np.log10(max(np.abs(values).max(), 1e-6))) / 10
    low, high = np.floor(min(values) / step) * step, np.ceil(max(values) / step) * step
    return float(low), float(high if high > low else low + step)
