"""Weights: their files, their registry, and what a loaded network is."""
