"""The shared core: images, localization, inference, outlines, confidence, files and registries."""
