"""The registry of methods of `seg_cord`; other packages add to it by the entry point group `spineseg.cord_methods`."""

from __future__ import annotations

from spineseg_cli.core.registry import Entry, Registry

# Each method is a function that takes a scan, a `localizer` and a `threshold`, and returns a `Segmentation`. The localizer is
# None if the user gives no centerline; for the method "network", which also needs a predictor, the task creates one. Sidecars
# name the `model` of the result.
CORD_METHODS = Registry(
    "cord_methods",
    {
        "network": Entry("spineseg_cli.tasks.cord:segment_cord", "the cord's networks"),
        "propseg": Entry(
            "spineseg_cli.tasks.propseg:propagate_cord",
            "an outline carried from slice to slice, from a Hough transform or, with --centerline, from there; for comparison",
        ),
    },
)
