"""Studies: several variants of a training side by side, each YAML beside these modules after a publication."""
