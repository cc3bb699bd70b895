"""Rendering of self-contained pages from jinja2 templates, with texts, tables, charts and pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Picture:
    """A picture with a caption."""

    caption: str
    pixels: np.ndarray  # shape (rows, columns, 3), uint8

    @property
    def source(self) -> str:
        """The picture as a JPEG data URI."""
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(self.pixels).save(stream, format="JPEG", quality=85)
        return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def by_subset(split: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the subjects of each subset of a split, which holds the subset of each subject."""
    return {name: [subject for subject, subset in split.items() if subset == name] for name in split.values()}


def render(template: str, **content: Any) -> str:
    """Return a page from a template and its content. Texts are escaped; templates mark charts, which are SVG, as safe."""
    return _environment().get_template(template).render(**content)


@cache
def _environment():
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
