"""The content of the 3-D view of the page in few bytes: the scan around its masks, the masks, and their surfaces."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Mapping

import nibabel as nib
import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.bounds import bounding_box
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.reports.pictures.surfaces import encode_mz3, surface_of

MARGIN_MM = 12.0

# The number of gray values; more would take more bytes for a hardly visible difference.
GRAY_LEVELS = 24

# Limits of the bytes of the scan, before they are encoded as text, and of the triangles of each surface.
SCAN_BYTES = 20_000
SURFACE_TRIANGLES = 1100


def volume_3d(image: Volume, masks: Mapping[str, Volume]) -> dict | None:
    """Return the content of the 3-D view as JSON values, None if all masks are empty.

    `scan` and `mask` are gzipped NIfTI files as base64, uint8, on one grid. Voxels of `mask` have the number, from 1, of the
    last of the `masks` that contains them. `surfaces` holds MZ3 files as base64, by the name of the mask.
    """
    scan = to_rpi(image)
    labels = np.zeros(scan.shape, np.uint8)
    for number, mask in enumerate(masks.values(), 1):
        labels[to_rpi(mask).data > 0.5] = number
    if not labels.any():
        return None
    spacing_mm = np.array(scan.spacing_mm)
    margin = np.ceil(MARGIN_MM / spacing_mm).astype(int)
    margin[2] = min(margin[2], 2)
    box = tuple(
        slice(max(side.start - m, 0), min(side.stop + m, n))
        for side, m, n in zip(bounding_box(labels), margin, scan.shape, strict=True)
    )
    start = np.array([side.start for side in box], float)
    cropped = scan.data[box]
    low, high = np.percentile(cropped, (1, 99.5))
    gray = np.clip((cropped - low) / ((high - low) or 1), 0, 1)
    size_mm = np.array(cropped.shape) * spacing_mm
    step_mm = np.maximum(spacing_mm, 0.5)
    while True:
        shape = np.maximum(np.round(size_mm / step_mm).astype(int), 1)
        small = np.round(_resampled(gray, shape, 1) * (GRAY_LEVELS - 1)) * (255 // (GRAY_LEVELS - 1))
        scan_file = _nifti(small, scan.affine, start, spacing_mm, size_mm / shape)
        if len(scan_file) <= SCAN_BYTES or shape.max() < 16:
            break
        step_mm = _coarser(step_mm, len(scan_file) / SCAN_BYTES)
    mask_file = _nifti(_resampled(labels[box], shape, 0), scan.affine, start, spacing_mm, size_mm / shape)
    surfaces = {}
    for name, mask in masks.items():
        surface = None if name == "centerline" else surface_of(mask, SURFACE_TRIANGLES)
        if surface is not None:
            surfaces[name] = _text(encode_mz3(surface))
    return {"scan": _text(scan_file), "mask": _text(mask_file), "names": list(masks), "surfaces": surfaces}


def _coarser(step_mm: np.ndarray, excess: float) -> np.ndarray:
    """Return the voxel size at which a file that is `excess` times too long should fit; the finest axes are made coarser."""
    least = float(step_mm.min())
    finest = int((step_mm <= 1.5 * least).sum())
    return np.maximum(step_mm, least * max(1.04, excess ** (1 / finest)))


def _resampled(data: np.ndarray, shape: np.ndarray, order: int) -> np.ndarray:
    """Return data resampled to a grid of `shape` over the same extent, with interpolation of an order (1, or 0 for labels)."""
    old = np.array(data.shape)
    if (old == shape).all():
        return data.astype(np.float32)
    if order:  # average over the new voxels
        sigma = np.maximum(old / shape - 1, 0) / 2
        data = ndimage.gaussian_filter(data.astype(np.float32), sigma)
    scale = old / shape
    return ndimage.affine_transform(
        data.astype(np.float32), scale, offset=scale / 2 - 0.5, output_shape=tuple(shape), order=order, mode="nearest"
    )


def _nifti(data: np.ndarray, affine: np.ndarray, start: np.ndarray, spacing_mm: np.ndarray, step_mm: np.ndarray) -> bytes:
    """Return a gzipped NIfTI file of a box of an image that begins at the voxel `start`, with voxels of `step_mm`."""
    scale = step_mm / spacing_mm
    placed = affine @ nib.affines.from_matvec(np.diag(scale), start + scale / 2 - 0.5)
    image = nib.Nifti1Image(data.astype(np.uint8), placed)
    image.set_qform(placed, code=1)
    image.set_sform(placed, code=1)
    stream = io.BytesIO()
    image.to_file_map({"header": nib.FileHolder(fileobj=stream), "image": nib.FileHolder(fileobj=stream)})
    return gzip.compress(stream.getvalue(), 6, mtime=0)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
