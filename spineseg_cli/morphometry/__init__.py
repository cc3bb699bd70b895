"""The cord's morphometry: areas, diameters and angles along it, with their uncertainty."""

from spineseg_cli.morphometry.measure import CordMeasures, measure_cord

__all__ = ["CordMeasures", "measure_cord"]
