"""Images: volumes, NIfTI files, orientation, grids and intensities."""
