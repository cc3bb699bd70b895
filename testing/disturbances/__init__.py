"""Scans disturbed as users' scans are: signal lost, padded, cropped, masked, thinned out, in another contrast.

Each function takes an RPI volume and a mask of its cord, shape (nx, ny, nz), and returns the disturbed volume and the mask that
is right for it: what is left of the cord in it. Some are made by a function of their strength.
"""

from testing.disturbances.disturbance import Disturbance
from testing.disturbances.field_of_view import (
    below,
    beside,
    cropped,
    empty_above,
    empty_ends,
    every_fourth_sagittal,
    jerked,
    lowest,
    masked,
    smaller,
)
from testing.disturbances.intensities import (
    biased,
    blurred,
    dropped_out,
    fading,
    ghosted,
    half_lost,
    inverted,
    like_t1w,
    lost_signal,
    missing,
    noise_in_air,
    noisy,
    padded,
)

__all__ = [
    "DISTURBANCES",
    "Disturbance",
    "below",
    "beside",
    "biased",
    "blurred",
    "cropped",
    "dropped_out",
    "empty_above",
    "empty_ends",
    "every_fourth_sagittal",
    "fading",
    "ghosted",
    "half_lost",
    "inverted",
    "jerked",
    "like_t1w",
    "lost_signal",
    "lowest",
    "masked",
    "missing",
    "noise_in_air",
    "noisy",
    "padded",
    "smaller",
]

DISTURBANCES: dict[str, Disturbance] = {
    "signal lost over 18 mm": lost_signal(18),
    "signal lost over 24 mm": lost_signal(24),
    "lost over 24 mm, bright rim": lost_signal(24, rim=True),
    "padded -32768, planes": padded(-32768, "planes"),
    "padded 65535, planes": padded(65535, "planes"),
    "padded -32768, columns": padded(-32768, "columns"),
    "padded 65535, columns": padded(65535, "columns"),
    "padded -32768, one slice": padded(-32768, "slice"),
    "padded 65535, one side": padded(65535, "side"),
    "padded -32768, slanted": padded(-32768, "slanted"),
    "missing rows": missing("rows"),
    "missing columns": missing("columns"),
    "missing corners of a grid": missing("grid"),
    "a cross of 300": missing("cross", 300),
    "cropped to 12 mm": cropped(12),
    "cropped to 8 mm": cropped(8),
    "masked to 20 mm": masked(20),
    "fading to a tenth at both ends": fading,
    "noise in air": noise_in_air,
    "100 mm empty above": empty_above(100),
    "0.8 as large": smaller(0.8),
    "0.5 as large": smaller(0.5),
}
