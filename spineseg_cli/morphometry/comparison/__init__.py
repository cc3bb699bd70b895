"""Comparison with healthy people, and with the same subject at another time."""
