"""The contrast, subject and session of a series, from the fields of its header."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from spineseg_cli.cohort.dicom.converted import Series

# Patterns in the name of a protocol, and the BIDS suffix that each stands for. The first match counts.
WORDS = (
    ("dwi", r"dwi|dti|diff|trace|adc"),
    ("MTS", r"(?:^|[^a-z])mt[-_ ]?(?:on|off|s|c)?(?:[^a-z]|$)|magneti[sz]ation"),
    ("T2star", r"t2[-_ ]?(?:\*|star|s(?![a-z]))|medic|merge|me?-?ffe|flash|fl2d|gre(?:[^a-z]|$)"),
    ("FLAIR", r"flair|dark.?fluid"),
    ("PDw", r"(?:^|[^a-z])pd"),
    ("T1w", r"t1|mprage|bravo|tfl3d"),
    ("T2w", r"t2|space|stir|tse|fse|ciss|fiesta"),
)
LOCALIZER = re.compile(r"loc(?:ali[sz]er|$|[^a-z])|scout|survey|3.?plane|screen|report|phoenix", re.IGNORECASE)
DERIVED = {"DERIVED", "MPR", "PROJECTION IMAGE", "ADC", "FA", "TRACEW"}

# Fields that identify the subject, or the place and the staff of the scan.
IDENTIFYING = (
    "PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "PerformingPhysicianName",
    "OperatorsName", "InstitutionName", "InstitutionAddress", "StationName",
)  # fmt: skip

# For series without a known name (seconds): gradient echoes with a longer echo time are T2*w, others T1w; spin echoes with a
# longer echo time are T2w; the rest are T1w if their repetition time is shorter than this, otherwise PDw.
LATE_GRADIENT_ECHO_S, LATE_SPIN_ECHO_S, SHORT_REPETITION_S = 0.008, 0.05, 1.2


def guess_suffix(fields: Mapping) -> str:
    """Return the BIDS suffix of a series from its name or its echo and repetition time, "T2w" if none of them is known."""
    name = " ".join(str(fields.get(key, "")) for key in ("SeriesDescription", "ProtocolName")).lower()
    for suffix, pattern in WORDS:
        if re.search(pattern, name):
            return suffix
    echo_s, repetition_s = (_number(fields.get(key)) for key in ("EchoTime", "RepetitionTime"))
    sequence = str(fields.get("ScanningSequence", ""))
    if "GR" in sequence and "SE" not in sequence and echo_s is not None:
        return "T2star" if echo_s > LATE_GRADIENT_ECHO_S else "T1w"
    if echo_s is not None and echo_s > LATE_SPIN_ECHO_S:
        return "T2w"
    if repetition_s is not None and repetition_s < SHORT_REPETITION_S:
        return "T1w"
    return "PDw" if echo_s is not None and repetition_s is not None else "T2w"


def is_wanted(series: Series) -> tuple[bool, str]:
    """Return whether a series should be imported, and, if not, a reason unless its notes give one."""
    name = " ".join(str(series.fields.get(key, "")) for key in ("SeriesDescription", "ProtocolName"))
    if LOCALIZER.search(name):
        return False, "a localizer"
    if DERIVED & {str(word).upper() for word in series.fields.get("ImageType", ())}:
        return False, "computed from other series"
    image: Any = nib.load(series.image)
    shape = image.shape
    if len(shape) < 3 or min(shape[:3]) < 2:
        return False, "a single slice"
    return (True, "") if series.is_complete else (False, "")


def guess_plane(image: Path) -> str:
    """Return the plane of the slices of an image: "axial", "sagittal", "coronal", or "" if its voxels are nearly isotropic."""
    loaded: Any = nib.load(image)
    affine = loaded.affine[:3, :3]
    spacing_mm = np.linalg.norm(affine, axis=0)
    if spacing_mm.max() < 1.3 * np.median(spacing_mm):
        return ""
    normal = affine[:, int(spacing_mm.argmax())]
    return ("sagittal", "coronal", "axial")[int(np.abs(normal).argmax())]


def group_subjects(series: Sequence[Series]) -> list[tuple[int, int, int]]:
    """Return for each series the number of its subject and of its session, from 1, and the subject's number of sessions.

    Subjects are distinguished by ID, name and date of birth, sessions by study. Both are numbered in the order of their dates.
    """
    people = [_person(one.fields) for one in series]
    dates = [(str(one.fields.get("AcquisitionDateTime", "")), str(one.fields.get("StudyInstanceUID", ""))) for one in series]
    first = {person: min(date for who, (date, _) in zip(people, dates, strict=True) if who == person) for person in set(people)}
    order = sorted(first, key=lambda person: (first[person], person))
    studies: dict[tuple, list[str]] = {}
    for person, (_, study) in sorted(zip(people, dates, strict=True), key=lambda pair: pair[1]):
        known = studies.setdefault(person, [])
        if study not in known:
            known.append(study)
    return [
        (order.index(person) + 1, studies[person].index(study) + 1, len(studies[person]))
        for person, (_, study) in zip(people, dates, strict=True)
    ]


def clean_text(text: str, fields: Mapping) -> str:
    """Return the name of a protocol without words that occur in an identifying field, and without long numbers."""
    secret = {word.lower() for key in IDENTIFYING for word in re.findall(r"\w{3,}", str(fields.get(key, "")))}
    words = re.split(r"([^A-Za-z0-9*]+)", text)
    kept = [word for word in words if not any(part in word.lower() for part in secret) and not re.fullmatch(r"\d{5,}", word)]
    return " ".join("".join(kept).split())


def _person(fields: Mapping) -> tuple[str, ...]:
    known = tuple(str(fields.get(key, "")).strip().upper() for key in ("PatientID", "PatientName", "PatientBirthDate"))
    return known if any(known[:2]) else ("", "", "", str(fields.get("StudyInstanceUID", "")))


def _number(value) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
