"""What a user can choose of the localization, with what each is; this module imports nothing, so that help texts may list it."""

from __future__ import annotations

# How a network's heatmap is searched: `localizer.NetworkLocalizer`.
SEARCH_METHODS = {"optic": "the best path through all slices", "cnn": "each slice by itself"}

# The curves that can be fitted through the cord's centers: `curve_fit.fit_curve`.
CURVES = {
    "bspline": "a penalized cubic spline",
    "nurbs": "a cubic spline with few knots, which outliers affect less",
    "polyfit": "a polynomial",
    "linear": "straight from center to center",
}

# The contrasts that weights may have thresholds for: `inference.config.InferenceConfig`.
CONTRASTS = {"t1": "T1-weighted", "t2": "T2-weighted", "t2s": "T2*-weighted", "dwi": "diffusion-weighted"}


def in_words(choices: dict[str, str]) -> str:
    """Return every choice with what it is, for a help text."""
    return ", ".join(f"{name} ({meaning})" for name, meaning in choices.items())
