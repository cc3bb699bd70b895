"""Images that were converted, under their BIDS names, without anything that says who the subject is.

What is kept of a header is listed here; everything else is left out. In the images, texts of the NIfTI header are emptied.
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

# Fields of BIDS that describe the scan, and nobody in it.
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
    """The table's path, its rows, and the images that were written now."""

    table: Path
    rows: tuple[Row, ...]
    written: tuple[Path, ...]


def import_dicom(folder: Path, bids: Path, *, only_table: bool = False) -> Imported:
    """Sort and convert the DICOM files in a folder into a BIDS folder, by its table of series.

    Series that the table does not have yet are added to it. What is there already is not written again.

    Parameters
    ----------
    folder : Path
        Of the DICOM files, in any order, and folders in it.
    bids : Path
        Made if it is not there.
    only_table : bool
        Write the table alone, to be looked at and edited.

    Raises
    ------
    InputError
        If nothing can be read, or the table was edited into one that cannot be followed.
    SpinesegError
        If dcm2niix is not installed.
    """
    table = bids / TABLE
    known = read_table(table)
    with tempfile.TemporaryDirectory(prefix="spineseg-") as staging:
        series = convert(folder, Path(staging))
        rows = propose(series, known)
        by_key = {row.series: row for row in rows}
        write_table(table, [*rows, *(row for row in known if row.series not in by_key)])
        read_table(table)  # two series may have got one name by an edit
        written = [] if only_table else _write_images(bids, series, by_key)
    if written or not only_table:
        _describe(bids)
    return Imported(table, tuple(rows), tuple(written))


def _write_images(bids: Path, series: Sequence[Series], rows: dict[str, Row]) -> list[Path]:
    written = []
    for one in series:
        row = rows[one.key]
        path = bids / row.path
        if row.use == "yes" and not path.is_file():
            # The image comes last: where it is, the others are.
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
    """Write a NIfTI image again, gzipped, with its voxels and its grid, and without the texts and times of its header."""
    image: Any = nib.load(source)
    header = image.header.copy()
    for name in ("descrip", "aux_file", "db_name", "intent_name", "data_type"):
        header[name] = b""
    header["extents"] = header["session_error"] = 0
    header.extensions.clear()
    write_stored(path, np.asanyarray(image.dataobj.get_unscaled()), header)


def _describe(bids: Path) -> None:
    """Write what BIDS wants in every data set, where it is not there yet."""
    path = bids / "dataset_description.json"
    if not path.is_file():
        write_json(path, {"Name": bids.resolve().name, "BIDSVersion": BIDS_VERSION, "DatasetType": "raw"})
    readme = bids / "README.md"
    if not readme.is_file():
        write_text(readme, "# Data set\n\nConverted from DICOM by spineseg; see code/dicom_series.tsv.\n")
