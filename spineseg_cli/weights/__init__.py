"""Weights: files, the registry of shipped models, and models."""
