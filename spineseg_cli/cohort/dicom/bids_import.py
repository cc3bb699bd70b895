"""The import of converted images into a BIDS folder, without identifying information.

Only the header fields that are listed here are kept. Text fields of the NIfTI header are cleared.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from spineseg_cli.cohort.derivatives import BIDS_VERSION
from spineseg_cli.cohort.dicom.converted import Series, convert
from spineseg_cli.cohort.dicom.table import TABLE, Row, propose, read_table, write_table
from spineseg_cli.core.files import atomic_path, write_json, write_text
from spineseg_cli.core.image.nifti import write_stored

# BIDS fields that describe the scan and do not identify the subject.
KEPT = (
    "Modality", "MagneticFieldStrength", "Manufacturer", "ManufacturersModelName", "BodyPart", "PatientPosition",
    "MRAcquisitionType", "ScanningSequence", "SequenceVariant", "PulseSequenceType", "ImageType", "SliceThickness",
    "SpacingBetweenSlices", "EchoNumber", "EchoTime", "RepetitionTime", "InversionTime", "FlipAngle", "EchoTrainLength",
    "PixelBandwidth", "ParallelReductionFactorInPlane", "PhaseEncodingAxis", "PhaseEncodingDirection", "ReconMatrixPE",
    "AcquisitionMatrixPE", "MTState", "SliceTiming", "TotalReadoutTime", "EffectiveEchoSpacing", "ConversionSoftware",
    "ConversionSoftwareVersion",
)  # fmt: skip


@dataclass(frozen=True)
class Imported:
    """The result of an import: the path of the table, its rows, and the images that were written."""

    table: Path
    rows: tuple[Row, ...]
    written: tuple[Path, ...]


def import_dicom(folder: Path, bids: Path, *, only_table: bool = False) -> Imported:
    """Convert the DICOM files in a folder into a BIDS folder, by the table of series in that folder.

    New series are added to the table. Existing images are not written again.

    Raises InputError if no DICOM file can be read, or the edited table is invalid; SpinesegError if dcm2niix is not installed.

    The files may be in any order and in any subfolders of `folder`; `bids` is created if it does not exist. With
    `only_table`, only the table is written, for review and editing.
    """
    table = bids / TABLE
    known = read_table(table)
    with tempfile.TemporaryDirectory(prefix="spineseg-") as staging:
        series = convert(folder, Path(staging))
        rows = propose(series, known)
        by_key = {row.series: row for row in rows}
        write_table(table, [*rows, *(row for row in known if row.series not in by_key)])
        read_table(table)  # raises if an edit has given two series the same name
        written = [] if only_table else _write_images(bids, series, by_key)
    if not only_table:
        _describe(bids)
    return Imported(table, tuple(rows), tuple(written))


def _write_images(bids: Path, series: Sequence[Series], rows: dict[str, Row]) -> list[Path]:
    written = []
    for one in series:
        row = rows[one.key]
        path = bids / row.path
        if row.use == "yes" and not path.is_file():
            # The image is written last, so that it is complete with its other files if it exists.
            stem = path.name.removesuffix(".nii.gz")
            fields = {name: one.fields[name] for name in KEPT if name in one.fields}
            write_json(path.with_name(f"{stem}.json"), fields | ({"ProtocolName": row.protocol} if row.protocol else {}))
            for extra in one.extras:
                with atomic_path(path.with_name(stem + extra.suffix)) as temporary:
                    shutil.copyfile(extra, temporary)
            write_clean_image(one.image, path)
            written.append(path)
    return written


def write_clean_image(source: Path, path: Path) -> None:
    """Write a copy of a NIfTI image, gzipped, with the same voxels and grid but without the text fields of its header."""
    image: Any = nib.load(source)
    header = image.header.copy()
    for name in ("descrip", "aux_file", "db_name", "intent_name", "data_type"):
        header[name] = b""
    header["extents"] = header["session_error"] = 0
    header.extensions.clear()
    write_stored(path, np.asanyarray(image.dataobj.get_unscaled()), header)


def _describe(bids: Path) -> None:
    """Write the files that BIDS requires in every data set, if they do not exist."""
    path = bids / "dataset_description.json"
    if not path.is_file():
        write_json(path, {"Name": bids.resolve().name, "BIDSVersion": BIDS_VERSION, "DatasetType": "raw"})
    readme = bids / "README.md"
    if not readme.is_file():
        write_text(readme, "# Data set\n\nConverted from DICOM by spineseg; see code/dicom_series.tsv.\n")
