"""What charts are drawn of: an axis, lines, text, in SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

COLORS = ("#3366aa", "#cc5522", "#338855", "#996699")
LEFT, TOP, BOTTOM = 62, 28, 34  # margins, px


class Scale:
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
        lines = [draw_line(LEFT, self(tick), right, self(tick), "#e4e4e4") for tick in ticks]
        return lines + [draw_text(LEFT - 6, self(tick) + 4, f"{tick:.6g}", "end") for tick in ticks]


def draw_line(x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1, dashes: int = 0) -> str:
    """Return a line; `dashes` of so many px, 0 for none."""
    style = f'stroke="{color}" stroke-width="{width}" stroke-dasharray="{dashes or "none"}"'
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def draw_text(x: float, y: float, text: str, anchor: str = "start", color: str = "#333", weight: str = "normal") -> str:
    """Return a text, anchored at its "start", "middle" or "end"."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}" font-weight="{weight}">{escape(text)}</text>'


def draw_svg(width: int, height: int, parts: list[str]) -> str:
    """Return the parts as one SVG element."""
    style = "font: 11px sans-serif; background: #fff"
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" style="{style}">\n{body}\n</svg>\n'
