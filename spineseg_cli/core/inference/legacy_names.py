"""The names that metadata of weights files and fields of inference configurations had up to version 0.9."""

from __future__ import annotations

from typing import Any

FIELDS = {
    "scale": "normalization",
    "half": "outline_probability",
    "sharpness": "logit_scale",
    "binarise_first": "binarize_first",
}
METADATA = {"preprocessing": "inference"}
VALUES = {"normalization": {"standard": "zscore"}, "align": {"centres": "centers"}}


def current_metadata(content: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a weights file under their present names."""
    return {METADATA.get(name, name): value for name, value in content.items()}


def current_names(content: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an inference configuration under their present names, with their present values.

    Unknown fields are kept as they are. If a field is given by both its old and its present name, the present one is used.
    """
    renamed = {FIELDS.get(name, name): value for name, value in content.items() if FIELDS.get(name) not in content}
    return {
        name: VALUES[name].get(value, value) if name in VALUES and isinstance(value, str) else value
        for name, value in renamed.items()
    }
