"""Networks at work: runtimes, windows, patches, and what becomes of their probabilities."""
