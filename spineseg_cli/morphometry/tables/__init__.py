"""The tables: their columns and rows, and the files that they are written to."""
