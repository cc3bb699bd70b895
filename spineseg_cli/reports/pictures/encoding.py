"""Compact encoding of pictures: the scan in gray values, and the outlines of masks as a transparent layer."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

# WebP qualities in decreasing order. The best one that fits into the allowed bytes is taken; if none does, the picture is
# reduced.
QUALITIES = (80, 65, 50, 35, 20)
SMALLER = 0.8
LEAST_PX = 64

# The largest number of colors of outlines, including the transparent one.
MOST_COLORS = 16


def encode_gray(pixels: np.ndarray, most_bytes: int) -> bytes:
    """Return a picture as WebP in the best quality, and then the largest size, that `most_bytes` allow.

    `pixels` has shape (rows, columns, 3), uint8. Only pictures that are already very small exceed `most_bytes`.
    """
    picture = Image.fromarray(pixels)
    while True:
        content = _webp(picture, QUALITIES[0])
        if len(content) <= most_bytes or min(picture.size) < LEAST_PX:
            return content
        coarser = _best_webp(picture, QUALITIES[1:], most_bytes)
        if coarser is not None:
            return coarser
        picture = picture.resize([round(side * SMALLER) for side in picture.size], Image.Resampling.LANCZOS)


def _best_webp(picture: Image.Image, qualities: tuple[int, ...], most_bytes: int) -> bytes | None:
    """Return a picture in the best of some decreasing qualities that fits, by binary search; None if none fits."""
    best = None
    while qualities:
        middle = len(qualities) // 2
        content = _webp(picture, qualities[middle])
        if len(content) <= most_bytes:
            best, qualities = content, qualities[:middle]
        else:
            qualities = qualities[middle + 1 :]
    return best


def _webp(picture: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format="WEBP", quality=quality, method=4)
    return stream.getvalue()


def encode_overlay(outlined: np.ndarray, plain: np.ndarray) -> bytes:
    """Return the pixels of a picture that differ from a plain one as a PNG that is transparent elsewhere.

    Both pictures have shape (rows, columns, 3), uint8.
    """
    codes, plain_codes = (pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32) for pixels in (outlined, plain))
    drawn = codes != plain_codes
    drawn_codes = np.unique(codes[drawn])[: MOST_COLORS - 1]
    colors = np.stack([drawn_codes >> 16, drawn_codes >> 8 & 255, drawn_codes & 255], axis=-1)
    indices = np.zeros(drawn.shape, np.uint8)
    for number, code in enumerate(drawn_codes, 1):
        indices[drawn & (codes == code)] = number
    picture = Image.fromarray(indices, mode=None)
    picture.putpalette([0, 0, 0, *colors.ravel().tolist()])
    stream = io.BytesIO()
    picture.save(stream, format="PNG", transparency=0, optimize=True, bits=4)
    return stream.getvalue()
