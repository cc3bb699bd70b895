"""The settings of a run over a cohort: its steps and their options, by default or from a YAML file.

The dataclasses here are also the schema of the file: `read_settings` checks each value by the type and the metadata of its field.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spineseg_cli.core.localization.choices import CURVES, SEARCH_METHODS
from spineseg_cli.core.yaml_files import merged, nested, parse_changes, read_yaml
from spineseg_cli.errors import InputError

STEP_NAMES = ("centerline", "cord", "gm", "measures", "pictures")

# The step whose result another step needs.
NEEDED_STEP = {"gm": "cord", "measures": "cord", "pictures": "cord"}


def _one_of(choices: Iterable[str], default: str) -> Any:
    """Return a field that takes one of some words."""
    return field(default=default, metadata={"choices": tuple(choices)})


def _between(low: float, high: float, default: float | None) -> Any:
    """Return a field that takes a number from `low` to below `high`."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class CenterlineOptions:
    """Options of the centerline; see `get_centerline -h`."""

    method: str = _one_of(SEARCH_METHODS, "optic")
    algorithm: str = _one_of(CURVES, "bspline")
    smooth_mm: float = _between(0.001, 1e4, 30.0)


@dataclass(frozen=True)
class CordOptions:
    """Options of the cord's mask; see `seg_cord -h`. `model` is a name in the registry or a weights file."""

    model: str = "cord"
    threshold: float | None = _between(0, 1, None)


@dataclass(frozen=True)
class GrayMatterOptions:
    """Options of gray and white matter; see `seg_gm -h`.

    The step skips scans whose in-plane voxel size is larger than `max_in_plane_mm`, and sagittal and coronal scans, whose axial
    slices are closer together than their voxels are wide.
    """

    model: str = "gm"
    threshold: float | None = _between(0, 1, None)
    tta: bool = False
    max_in_plane_mm: float = _between(0.01, 100, 0.8)


@dataclass(frozen=True)
class MeasureOptions:
    """Options of the measures; see `measure_cord -h`.

    `levels`: "labels" takes the levels in `derivatives/labels`; "estimate" also estimates spinal segments from the cord where
    there are no labels (experimental); "none" measures no levels. `edge` adds the area inside the edge that the image shows.
    """

    levels: str = _one_of(("labels", "estimate", "none"), "estimate")
    edge: bool = True


@dataclass(frozen=True)
class PictureOptions:
    """Options of the page. `surfaces`: "gifti" or "stl" also writes the surfaces of cord and gray matter to files."""

    volume_3d: bool = True
    surfaces: str = _one_of(("none", "gifti", "stl"), "none")


@dataclass(frozen=True)
class Settings:
    """The settings of a run."""

    steps: tuple[str, ...] = STEP_NAMES  # with all steps that these need
    # "use": masks in `derivatives/labels` replace automatic ones. "compare": automatic masks are compared with them. "ignore":
    # they are not read.
    labels: str = _one_of(("use", "compare", "ignore"), "use")
    # What is done with 4-D images: "mean" averages the volumes, "each" segments each volume.
    volumes: str = _one_of(("mean", "each"), "mean")
    device: str = _one_of(("auto", "cpu", "gpu"), "auto")
    centerline: CenterlineOptions = field(default_factory=CenterlineOptions)
    cord: CordOptions = field(default_factory=CordOptions)
    gm: GrayMatterOptions = field(default_factory=GrayMatterOptions)
    measures: MeasureOptions = field(default_factory=MeasureOptions)
    pictures: PictureOptions = field(default_factory=PictureOptions)


def read_settings(path: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Return the settings of a YAML file, changed by `overrides` such as `gm.tta=true`; without either, the defaults.

    Raises InputError, which names the setting, if one is unknown or has an invalid value.
    """
    content = read_yaml(path, f"the settings {path}") if path is not None else {}
    changes = nested(parse_changes(overrides, "gm.tta=true")) if overrides else {}
    settings = _build(Settings, merged(content, changes), "")
    _check_steps(settings.steps)
    return settings


def _build(kind: type, content: Mapping, prefix: str):
    """Return the dataclass `kind` with the values of `content`, each checked; names in messages start with `prefix`."""
    hints, known = typing.get_type_hints(kind), {entry.name: entry for entry in dataclasses.fields(kind)}
    unknown = [str(name) for name in content if name not in known]
    if unknown:
        raise InputError(f"settings have no {prefix}{unknown[0]}; expected some of {', '.join(known)}")
    return kind(**{name: _value(hints[name], known[name].metadata, value, prefix + name) for name, value in content.items()})


def _value(hint: Any, metadata: Mapping, value: Any, name: str) -> Any:
    """Return a value of a setting, checked and converted to the type of its field."""
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise _wrong(name, "a group of options", value)
        return _build(typing.cast(type, hint), value, f"{name}.")
    if typing.get_origin(hint) is tuple:
        words = value.split() if isinstance(value, str) else value
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise _wrong(name, "a list of words", value)
        return tuple(words)
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise _wrong(name, " or ".join("nothing" if kind is type(None) else kind.__name__ for kind in kinds), value)
    if "choices" in metadata and value not in metadata["choices"]:
        raise _wrong(name, f"one of {', '.join(metadata['choices'])}", value)
    if "range" in metadata and value is not None:
        low, high = metadata["range"]
        if not low <= value < high:
            raise _wrong(name, f"from {low} to below {high}", value)
    return value


def _wrong(name: str, expected: str, value: Any) -> InputError:
    return InputError(f"the setting {name} must be {expected}; got {value!r}")


def _check_steps(steps: Sequence[str]) -> None:
    unknown = [step for step in steps if step not in STEP_NAMES]
    if unknown or not steps:
        raise InputError(f"there is no step {', '.join(unknown) or 'at all'}; expected some of {', '.join(STEP_NAMES)}")
    for step, needed in NEEDED_STEP.items():
        if step in steps and needed not in steps:
            raise InputError(f"the step {step} needs the cord's mask: add {needed} to the steps")
