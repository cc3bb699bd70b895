"""Inference: runtimes, windows, patches, and the post-processing of the networks' probabilities."""
