"""The shared core: volumes, NIfTI, orientation, resampling, cropping, intensity, postprocessing, inference."""
