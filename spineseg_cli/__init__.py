"""spineseg: segment the spinal cord and its gray matter on MRI."""

__version__ = "0.9.0"
