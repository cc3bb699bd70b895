"""Shipped weights: one folder a model; `registry.json` lists them."""
