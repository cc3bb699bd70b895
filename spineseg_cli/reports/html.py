"""Parts of a page that stands without any other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 sans-serif; color: #222; max-width: {width}px; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; margin: 0.6em 0; }}
th, td {{ padding: 3px 10px; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.verdict {{ font-size: 1.15em; padding: 0.7em 1em; background: #f0f3f7; border-left: 4px solid #3366aa; }}
figure {{ margin: 1em 0; }} img {{ max-width: 100%; }} figcaption {{ color: #555; }}
</style></head><body>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Picture:
    """A picture of a result.

    Parameters
    ----------
    caption : str
    pixels : ndarray, shape (rows, columns, 3), uint8
    """

    caption: str
    pixels: np.ndarray


def html_page(title: str, parts: Iterable[str], width: int = 1000) -> str:
    """Return a page of parts, one below the other, at most so many px wide."""
    return _PAGE.format(title=escape(title), body="\n".join(parts), width=width)


def html_table(rows: Sequence[Sequence[str]], header: bool = False) -> str:
    """Return a table; with a header, what follows the first column is set as numbers."""
    lines = []
    for place, row in enumerate(rows):
        tag = "th" if header and place == 0 else "td"
        kind = ' class="number"' if header else ""
        lines.append("<tr>" + "".join(f"<{tag}{kind if i else ''}>{escape(str(c))}</{tag}>" for i, c in enumerate(row)) + "</tr>")
    return "<table>" + "\n".join(lines) + "</table>"


def html_figure(picture: Picture) -> str:
    """Return a picture with its caption, as JPEG inside the page."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture.pixels).save(stream, format="JPEG", quality=85)
    data = base64.b64encode(stream.getvalue()).decode()
    caption = escape(picture.caption)
    return f'<figure><img alt="{caption}" src="data:image/jpeg;base64,{data}"><figcaption>{caption}</figcaption></figure>'
