"""Localization of the cord: the search, the path along it and the slices that hold it."""
