"""DICOM files of phantoms as scanners write them: classic, enhanced, mosaic, with tilted gantry, with missing slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from spineseg_cli.core.image.volume import Volume

# What must not travel: each is a text that the tests look for in every output.
SECRETS = {
    "PatientName": "Mustermann^Erika",
    "PatientID": "MRN7654321",
    "PatientBirthDate": "19640812",
    "PatientAddress": "Heidestrasse 17",
    "OtherPatientIDs": "SSN123456789",
    "AccessionNumber": "ACC998877",
    "ReferringPhysicianName": "Watson^John",
    "OperatorsName": "Holmes^Mycroft",
    "InstitutionName": "Charing Cross Hospital",
    "StationName": "MRC55555",
    "PatientComments": "seen with Erika Mustermann",
    "ImageComments": "Erika Mustermann moved",
    "StudyDescription": "Spine Mustermann",
}
STUDY_DATE = "20240501"


def _head(series: int, description: str, study_uid: str, series_uid: str, patient: int, date: str = STUDY_DATE) -> Dataset:
    head = Dataset()
    for name, value in SECRETS.items():
        setattr(head, name, f"{value}{patient}" if name == "PatientID" else value)
    head.Modality, head.Manufacturer, head.ManufacturerModelName = "MR", "SIEMENS", "Prisma"
    head.StudyDate = head.SeriesDate = head.AcquisitionDate = date
    head.StudyTime = head.SeriesTime = head.AcquisitionTime = "101112"
    head.StudyInstanceUID, head.SeriesInstanceUID, head.FrameOfReferenceUID = study_uid, series_uid, study_uid
    head.SeriesNumber, head.SeriesDescription, head.ProtocolName = series, description, description
    head.PatientPosition, head.BodyPartExamined, head.StudyID = "HFS", "CSPINE", "1"
    head.MagneticFieldStrength, head.RepetitionTime, head.FlipAngle = 3.0, 800.0, 30.0
    head.ScanningSequence, head.SequenceVariant, head.ScanOptions, head.MRAcquisitionType = "GR", "SP", "", "2D"
    head.SamplesPerPixel, head.PhotometricInterpretation = 1, "MONOCHROME2"
    head.BitsAllocated, head.BitsStored, head.HighBit, head.PixelRepresentation = 16, 12, 11, 0
    return head


def _slices(image: Volume) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return pixels (slice, row, column), the position of each slice, and the directions of rows and columns, in DICOM's LPS."""
    to_lps = np.diag([-1.0, -1.0, 1.0])
    affine = image.affine
    pixels = np.clip(image.data, 0, 4095).astype(np.uint16).transpose(2, 1, 0)
    positions = np.array([to_lps @ (affine[:3, 3] + affine[:3, 2] * k) for k in range(image.shape[2])])
    return pixels, positions, to_lps @ affine[:3, 0], to_lps @ affine[:3, 1]


def _write(path: Path, head: Dataset, sop_class: str, pixels: np.ndarray) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.update(head)
    file.SOPClassUID, file.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    file.PixelData = np.ascontiguousarray(pixels).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, file, enforce_file_format=True)


def write_classic(
    folder: Path,
    image: Volume,
    *,
    series: int = 1,
    description: str = "t2star_axial",
    study_uid: str = "",
    patient: int = 1,
    echo_ms: float = 15.0,
    echo: int = 1,
    missing: tuple[int, ...] = (),
    tilt_deg: float = 0.0,
    series_uid: str = "",
) -> None:
    """Write one file for each slice; with a tilt, slices are shifted against each other as by a tilted gantry."""
    pixels, positions, right, down = _slices(image)
    uid = series_uid or generate_uid()
    head = _head(series, description, study_uid or generate_uid(), uid, patient)
    head.EchoTime, head.EchoNumbers, head.ImageType = echo_ms, echo, ["ORIGINAL", "PRIMARY", "M", "ND"]
    spacing = image.spacing_mm
    if tilt_deg:
        shear = np.tan(np.radians(tilt_deg)) * spacing[2] * down / np.linalg.norm(down)
        positions = positions + np.arange(len(positions))[:, None] * shear
        head.Modality, head.GantryDetectorTilt = "CT", tilt_deg
    for k in range(len(pixels)):
        if k in missing:
            continue
        one = Dataset()
        one.update(head)
        one.InstanceNumber, one.Rows, one.Columns = k + 1, *pixels[k].shape
        one.PixelSpacing, one.SliceThickness = [spacing[1], spacing[0]], spacing[2]
        one.SpacingBetweenSlices = spacing[2]
        one.ImageOrientationPatient = [*(right / np.linalg.norm(right)), *(down / np.linalg.norm(down))]
        one.ImagePositionPatient = list(positions[k])
        one.SliceLocation = float(positions[k][2])
        _write(folder / f"IM_{series:03d}_{echo}_{k:04d}.dcm", one, MRImageStorage, pixels[k])


def write_enhanced(folder: Path, image: Volume, *, series: int = 2, description: str = "t2_sagittal", patient: int = 1) -> None:
    """Write all slices as frames of one enhanced MR file."""
    pixels, positions, right, down = _slices(image)
    head = _head(series, description, generate_uid(), generate_uid(), patient)
    head.ImageType, head.NumberOfFrames, head.InstanceNumber = ["ORIGINAL", "PRIMARY", "M", "NONE"], len(pixels), 1
    head.Manufacturer = "Philips Medical Systems"
    head.Rows, head.Columns = pixels.shape[1:]
    head.ContentQualification, head.ComplexImageComponent, head.AcquisitionContrast = "PRODUCT", "MAGNITUDE", "T2"
    shared = Dataset()
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = [image.spacing_mm[1], image.spacing_mm[0]], image.spacing_mm[2]
    measures.SpacingBetweenSlices = image.spacing_mm[2]
    shared.PixelMeasuresSequence = Sequence([measures])
    orientation = Dataset()
    orientation.ImageOrientationPatient = [*(right / np.linalg.norm(right)), *(down / np.linalg.norm(down))]
    shared.PlaneOrientationSequence = Sequence([orientation])
    echo = Dataset()
    echo.EffectiveEchoTime = 90.0
    shared.MREchoSequence = Sequence([echo])
    head.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for k in range(len(pixels)):
        content, place = Dataset(), Dataset()
        content.DimensionIndexValues, content.InStackPositionNumber, content.StackID = [1, k + 1], k + 1, "1"
        place.ImagePositionPatient = list(positions[k])
        frame = Dataset()
        frame.FrameContentSequence, frame.PlanePositionSequence = Sequence([content]), Sequence([place])
        frames.append(frame)
    head.PerFrameFunctionalGroupsSequence = Sequence(frames)
    _write(folder / f"EN_{series:03d}.dcm", head, EnhancedMRImageStorage, pixels)


def write_mosaic(folder: Path, image: Volume, *, series: int = 3, description: str = "ep2d_diff", patient: int = 1) -> None:
    """Write all slices as tiles of one image, as Siemens scanners do, with the private header that marks it as a mosaic."""
    pixels, positions, right, down = _slices(image)
    side = int(np.ceil(np.sqrt(len(pixels))))
    rows, columns = pixels.shape[1:]
    sheet = np.zeros((side * rows, side * columns), np.uint16)
    for k, tile in enumerate(pixels):
        top, left = divmod(k, side)
        sheet[top * rows : (top + 1) * rows, left * columns : (left + 1) * columns] = tile
    head = _head(series, description, generate_uid(), generate_uid(), patient, "20240601")
    head.ImageType, head.EchoTime, head.InstanceNumber = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"], 60.0, 1
    head.ScanningSequence = "EP"
    head.Rows, head.Columns = sheet.shape
    unit_right, unit_down = right / np.linalg.norm(right), down / np.linalg.norm(down)
    head.PixelSpacing, head.SliceThickness = [image.spacing_mm[1], image.spacing_mm[0]], image.spacing_mm[2]
    head.SpacingBetweenSlices = image.spacing_mm[2]
    head.ImageOrientationPatient = [*unit_right, *unit_down]
    # The place of the sheet's corner, such that its middle is that of the first slice.
    first = positions[0] - (sheet.shape[1] - columns) / 2 * right - (sheet.shape[0] - rows) / 2 * down
    head.ImagePositionPatient = list(first)
    normal = (positions[1] - positions[0]) / np.linalg.norm(positions[1] - positions[0])
    block = head.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    fields = {
        "NumberOfImagesInMosaic": ("US", [str(len(pixels))]),
        "SliceNormalVector": ("FD", [f"{v:.8f}" for v in normal]),
        "PhaseEncodingDirectionPositive": ("IS", ["1"]),
    }
    block.add_new(0x10, "OB", _csa(fields))
    block.add_new(0x20, "OB", _csa({"UsedChannelMask": ("UL", ["1"])}))
    head[0x0019, 0x0010] = pydicom.DataElement(0x00190010, "LO", "SIEMENS MR HEADER")
    head[0x0019, 0x100A] = pydicom.DataElement(0x0019100A, "US", len(pixels))
    _write(folder / f"MO_{series:03d}.dcm", head, MRImageStorage, sheet)


def _csa(fields: dict[str, tuple[str, list[str]]]) -> bytes:
    """Return a Siemens CSA2 header with some fields."""
    out = b"SV10\4\3\2\1" + len(fields).to_bytes(4, "little") + (77).to_bytes(4, "little")
    for name, (vr, values) in fields.items():
        out += name.encode().ljust(64, b"\0") + len(values).to_bytes(4, "little") + vr.encode().ljust(4, b"\0")
        out += (0).to_bytes(4, "little") + (6).to_bytes(4, "little") + (77).to_bytes(4, "little")
        for i in range(6):
            text = values[i].encode() + b"\0" if i < len(values) else b""
            out += b"".join(n.to_bytes(4, "little") for n in (len(text), len(text), 77, len(text)))
            out += text + b"\0" * (-len(text) % 4)
    return out
