"""The area inside the image's own edge, which hardly depends on the mask."""
