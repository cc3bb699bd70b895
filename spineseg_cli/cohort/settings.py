"""What a run over a cohort does: its steps and their options, by default or from a YAML file."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spineseg_cli.core.localization.choices import CURVES, SEARCH_METHODS
from spineseg_cli.errors import InputError

STEPS = ("centerline", "cord", "gm", "measures", "pictures")


@dataclass(frozen=True)
class CenterlineOptions:
    """Options of the centerline; see `get_centerline -h`."""

    method: str = "optic"
    algorithm: str = "bspline"
    smooth_mm: float = 30.0


@dataclass(frozen=True)
class CordOptions:
    """Options of the cord's mask; see `seg_cord -h`. `model` is a name of the registry or a weights file."""

    model: str = "cord"
    threshold: float | None = None


@dataclass(frozen=True)
class GrayMatterOptions:
    """Options of gray and white matter; see `seg_gm -h`.

    Scans are left out whose axial slices have voxels larger than `max_in_plane_mm`, or are closer to each other than the
    voxels in them are wide (sagittal and coronal acquisitions).
    """

    model: str = "gm"
    threshold: float | None = None
    tta: bool = False
    max_in_plane_mm: float = 0.8


@dataclass(frozen=True)
class MeasureOptions:
    """Options of the measures; see `measure_cord -h`.

    `levels`: "labels" takes those in `derivatives/labels` alone, "estimate" those that are estimated from the cord (spinal
    segments; experimental) where there are no labels, "none" no levels. `edge` adds the area inside the image's own edge.
    """

    levels: str = "estimate"
    edge: bool = True


@dataclass(frozen=True)
class PictureOptions:
    """Options of the page. `surfaces`: "none", "gifti" or "stl" also writes surfaces of cord and gray matter as files."""

    volume_3d: bool = True
    surfaces: str = "none"


@dataclass(frozen=True)
class Settings:
    """What a run does with each scan.

    Parameters
    ----------
    steps : tuple of str
        Of `STEPS`; those that one of them needs must be among them.
    labels : str
        "use": masks in `derivatives/labels` take the place of automatic ones. "compare": they are what these are compared with.
        "ignore": they are left alone.
    volumes : str
        Of 4-D images: "mean" averages the volumes, "each" segments every one.
    device : str
        "auto", "cpu" or "gpu".
    centerline, cord, gm, measures, pictures
        The options of the steps.
    """

    steps: tuple[str, ...] = STEPS
    labels: str = "use"
    volumes: str = "mean"
    device: str = "auto"
    centerline: CenterlineOptions = field(default_factory=CenterlineOptions)
    cord: CordOptions = field(default_factory=CordOptions)
    gm: GrayMatterOptions = field(default_factory=GrayMatterOptions)
    measures: MeasureOptions = field(default_factory=MeasureOptions)
    pictures: PictureOptions = field(default_factory=PictureOptions)


CHOICES = {
    "labels": ("use", "compare", "ignore"),
    "volumes": ("mean", "each"),
    "device": ("auto", "cpu", "gpu"),
    "centerline.method": tuple(SEARCH_METHODS),
    "centerline.algorithm": tuple(CURVES),
    "measures.levels": ("labels", "estimate", "none"),
    "pictures.surfaces": ("none", "gifti", "stl"),
}
RANGES = {
    "cord.threshold": (0, 1),
    "gm.threshold": (0, 1),
    "centerline.smooth_mm": (0.001, 1e4),
    "gm.max_in_plane_mm": (0.01, 100),
}


def read_settings(path: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Return the settings of a YAML file, changed by `overrides` such as `gm.tta=true`; the defaults without either.

    Raises InputError with the path of what is unknown or of the wrong kind.
    """
    import yaml

    content: Any = {}
    if path is not None:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8-sig")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(f"cannot read the settings {path}: {' '.join(str(error).split())}") from error
        if not isinstance(content, dict):
            raise InputError(f"expected settings in {path}, such as `steps: [cord, measures]`; got {type(content).__name__}")
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise InputError(f"expected NAME=VALUE, such as gm.tta=true; got {override!r}")
        *sections, last = name.split(".")
        inner = content
        for section in sections:
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                raise InputError(f"settings have no {name}")
        inner[last] = yaml.safe_load(text)
    settings = _build(Settings, content, "")
    _check_steps(settings.steps)
    return settings


def as_dict(options: Any) -> dict:
    """Return the fields of options as JSON has them."""
    return dataclasses.asdict(options)


def _build(kind: type, content: Mapping, path: str):
    hints = typing.get_type_hints(kind)
    unknown = [str(name) for name in content if name not in hints]
    if unknown:
        raise InputError(f"settings have no {path}{unknown[0]}; expected some of {', '.join(hints)}")
    return kind(**{name: _value(hints[name], value, path + name) for name, value in content.items()})


def _value(hint, value, name: str):
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
    if name in CHOICES and value not in CHOICES[name]:
        raise _wrong(name, f"one of {', '.join(CHOICES[name])}", value)
    if name in RANGES and value is not None and not RANGES[name][0] <= value < RANGES[name][1]:
        raise _wrong(name, "from {} to below {}".format(*RANGES[name]), value)
    return value


def _wrong(name: str, expected: str, value) -> InputError:
    return InputError(f"the setting {name} must be {expected}; got {value!r}")


def _check_steps(steps: Sequence[str]) -> None:
    unknown = [step for step in steps if step not in STEPS]
    if unknown or not steps:
        raise InputError(f"there is no step {', '.join(unknown) or 'at all'}; expected some of {', '.join(STEPS)}")
    for step in ("gm", "measures", "pictures"):
        if step in steps and "cord" not in steps:
            raise InputError(f"the step {step} needs the cord's mask: add cord to the steps")
