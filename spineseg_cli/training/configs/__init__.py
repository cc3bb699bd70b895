"""Recipes: what decides a training run, read from YAML and checked."""
