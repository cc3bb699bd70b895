"""spineseg: segment the spinal cord and its gray matter on MRI."""

__version__ = "0.8.0"
