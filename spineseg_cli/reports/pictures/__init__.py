"""Pictures: scans with outlines, charts, figures and surfaces."""
