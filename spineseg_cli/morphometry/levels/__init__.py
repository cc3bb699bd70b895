"""Vertebral and spinal levels: from labels, or estimated from the cord alone."""
