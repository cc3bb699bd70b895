"""The choices that users have in localization, each with a description. It imports nothing, so that help texts load quickly."""

from __future__ import annotations

# Ways to search a network's heatmap: see `localizer.NetworkLocalizer`.
SEARCH_METHODS = {"optic": "the best path through all slices", "cnn": "each slice by itself"}

# Curves that can be fitted through the cord's centers: see `curve_fit.fit_curve`.
CURVES = {
    "bspline": "a penalized cubic spline",
    "nurbs": "a cubic spline with few knots, which outliers affect less",
    "polyfit": "a polynomial",
    "linear": "straight from center to center",
}

# Contrasts for which weights may have thresholds: see `inference.config.InferenceConfig`.
CONTRASTS = {"t1": "T1-weighted", "t2": "T2-weighted", "t2s": "T2*-weighted", "dwi": "diffusion-weighted"}


def in_words(choices: dict[str, str]) -> str:
    """Return a list of the choices with their descriptions, for a help text."""
    return ", ".join(f"{name} ({meaning})" for name, meaning in choices.items())
