"""Conversion of a folder of DICOM files by dcm2niix: an image for each series, echo and part, with the fields of its header.

Li et al., The first step for neuroimaging data analysis: DICOM to NIfTI conversion, J Neurosci Methods 264:47 (2016).
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from spineseg_cli.core.files import read_json
from spineseg_cli.errors import InputError, SpinesegError

# Endings that dcm2niix adds to the names of corrected images: resampled to equidistant slices, and with the gantry tilt removed.
EQUIDISTANT, UNTILTED = re.compile(r"_Eq(_\d+)?$"), re.compile(r"_Tilt(_Eq)?(_\d+)?$")

MISSING = re.compile(r"Missing images|Interslice distance varies|slices? (?:is|are) missing", re.IGNORECASE)
MISSING_NOTE = "slices are missing, or not at equal distances"
TILT_NOTE = "the gantry's tilt was undone"


@dataclass(frozen=True)
class Series:
    """A converted image."""

    image: Path  # the NIfTI file in the temporary folder of the conversion
    fields: dict  # the fields that dcm2niix reports, including those that identify the subject
    notes: tuple[str, ...] = ()  # possible problems of the image
    extras: tuple[Path, ...] = ()  # files that belong to the image: `.bval`, `.bvec`

    @property
    def key(self) -> str:
        """The identifier of the image in the table: a digest of its unique identifiers, which does not reveal them."""
        parts = [self.fields.get("SeriesInstanceUID", ""), self.fields.get("EchoNumber", 1), self.part, self.image.name]
        uid, echo, part, name = map(str, parts)
        return hashlib.sha256("|".join((uid or name, echo, part)).encode()).hexdigest()[:12]

    @property
    def part(self) -> str:
        """The part of a complex image: "mag", "phase", "real" or "imag"."""
        kinds = {str(word).upper() for word in self.fields.get("ImageType", ())}
        for part, words in (("phase", {"P", "PHASE"}), ("real", {"REAL", "R"}), ("imag", {"IMAGINARY", "I"})):
            if kinds & words:
                return part
        return "mag"

    @property
    def is_complete(self) -> bool:
        """Whether no slice is missing."""
        return MISSING_NOTE not in self.notes


def convert(folder: Path, out: Path) -> list[Series]:
    """Convert all DICOM files in a folder and its subfolders into `out`; return the images, sorted by name.

    Raises InputError if there is no such folder, or no DICOM file in it; SpinesegError if dcm2niix is not installed, or fails.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: name the one that holds the DICOM files")
    command = [str(find_dcm2niix()), "-b", "y", "-ba", "n", "-z", "n", "-d", "9", "-f", "%s_%j", "-o", str(out), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    series = _collect(out, done.stdout)
    if not series:
        reason = next(
            (line for line in done.stdout.splitlines() if line.startswith(("Error", "Unable"))), "no DICOM files were found"
        )
        raise InputError(f"nothing was converted from {folder}: {reason}")
    return series


def find_dcm2niix() -> Path:
    """Return the path of the program in the package dcm2niix. Raises SpinesegError if it is not installed."""
    spec = importlib.util.find_spec("dcm2niix")
    if spec is None or spec.origin is None:
        raise SpinesegError("reading DICOM needs the package dcm2niix: pip install 'spineseg[cohort]'")
    import dcm2niix

    return Path(dcm2niix.bin)


def _collect(out: Path, log: str) -> list[Series]:
    """Return the images that dcm2niix has written; of several versions of an image, the one with the most corrections."""
    notes = _notes_by_stem(log)
    versions: dict[str, dict[str, Path]] = {}
    for path in sorted(out.glob("*.nii")):
        kind = "tilt" if UNTILTED.search(path.stem) else "equidistant" if EQUIDISTANT.search(path.stem) else "plain"
        stem = EQUIDISTANT.sub("", UNTILTED.sub("", path.stem))
        versions.setdefault(stem, {})[kind] = path
    series = []
    for stem, images in sorted(versions.items()):
        fields = read_json(out / f"{stem}.json")
        notes_of_image = tuple(notes.get(stem, ())) + ((TILT_NOTE,) if "tilt" in images else ())
        image = images.get("tilt") or images.get("equidistant") or images["plain"]
        extras = tuple(path for path in (out / f"{stem}.bval", out / f"{stem}.bvec") if path.is_file())
        series.append(Series(image, fields, notes_of_image, extras))
    return series


def _notes_by_stem(log: str) -> dict[str, list[str]]:
    """Return the problems of each image from the log of dcm2niix, in which a warning precedes the name of its image."""
    notes: dict[str, list[str]] = {}
    warned = False
    for line in log.splitlines():
        warned |= bool(MISSING.search(line))
        named = re.search(r"Convert \d+ DICOM as (.*) \(", line)
        if named:
            if warned:
                notes[Path(named[1]).name] = [MISSING_NOTE]
            warned = False
    return notes
