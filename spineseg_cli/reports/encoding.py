"""Pictures in few bytes: the scan in gray values, and the outlines of its masks as a transparent layer over it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

# From good to coarse; the first that fits into the bytes allowed is taken. Where none does, the picture is made smaller.
QUALITIES = (80, 65, 50, 35, 20)
SMALLER = 0.8
LEAST_PX = 64

# Colors that outlines have at most, with the transparent one.
MOST_COLORS = 16


def encode_gray(pixels: np.ndarray, most_bytes: int) -> bytes:
    """Return a picture as WebP, no longer than `most_bytes`: as good, and then as large, as they allow.

    Parameters
    ----------
    pixels : ndarray, shape (rows, columns, 3), uint8
    most_bytes : int
    """
    picture = Image.fromarray(pixels)
    while True:
        for quality in QUALITIES:
            stream = io.BytesIO()
            picture.save(stream, format="WEBP", quality=quality, method=4)
            if stream.tell() <= most_bytes or min(picture.size) < LEAST_PX:
                return stream.getvalue()
        picture = picture.resize([round(side * SMALLER) for side in picture.size], Image.Resampling.LANCZOS)


def encode_overlay(outlined: np.ndarray, plain: np.ndarray) -> bytes:
    """Return what differs between two pictures, shape (rows, columns, 3), uint8, as a PNG that is transparent elsewhere."""
    drawn = (outlined != plain).any(axis=-1)
    colors = np.unique(outlined[drawn], axis=0)[: MOST_COLORS - 1]
    indices = np.zeros(drawn.shape, np.uint8)
    for number, color in enumerate(colors, 1):
        indices[drawn & (outlined == color).all(axis=-1)] = number
    picture = Image.fromarray(indices, mode=None)
    picture.putpalette([0, 0, 0, *colors.ravel().tolist()])
    stream = io.BytesIO()
    picture.save(stream, format="PNG", transparency=0, optimize=True, bits=4)
    return stream.getvalue()
