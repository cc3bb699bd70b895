"""Outlines of the cord and of its gray matter in the slices of a scan."""
