"""Surfaces of masks, for the 3-D view of the page and as GIfTI or STL files."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spineseg_cli.core.extras import require
from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.image.bounds import bounding_box
from spineseg_cli.core.image.volume import Volume

# Standard deviation of the blur before the surface is computed, in steps of its grid, which hides the steps of the voxels.
SMOOTH_STEPS = 0.5

# Decimals of the coordinates of vertices: finer than any voxel, and well compressible.
DECIMALS_MM = 1


@dataclass(frozen=True)
class Surface:
    """A closed surface of triangles."""

    vertices_mm: np.ndarray  # shape (n, 3), float32: world coordinates (NIfTI's RAS+)
    triangles: np.ndarray  # shape (m, 3), int32: indices of vertices, in the order by which normals point outwards


def surface_of(mask: Volume, most_triangles: int | None = None) -> Surface | None:
    """Return the surface of a mask by marching cubes (Lewiner et al. 2003), None if the mask is empty.

    `mask` is above 0.5 inside; the grid is made coarser until there are no more than `most_triangles`.
    """
    require("a surface", "skimage")
    from scipy import ndimage
    from skimage.measure import marching_cubes

    inside = mask.data > 0.5
    if not inside.any():
        return None
    box = bounding_box(inside)
    cropped = np.pad(inside[box].astype(np.float32), 3)
    start_vx = np.array([side.start - 3 for side in box], float)
    spacing_mm = np.array(mask.spacing_mm)
    step_mm = float(spacing_mm.min())
    while True:
        zoom = np.minimum(spacing_mm / step_mm, 4.0)
        fine = ndimage.zoom(ndimage.gaussian_filter(cropped, SMOOTH_STEPS * step_mm / spacing_mm), zoom, order=1)
        if min(fine.shape) < 2 or not fine.min() < 0.5 < fine.max():
            return None
        vertices, triangles, *_ = marching_cubes(fine, 0.5)
        if most_triangles is None or len(triangles) <= most_triangles:
            break
        step_mm *= 1.15 * np.sqrt(max(len(triangles) / most_triangles, 1.0))
    scale = (np.array(cropped.shape) - 1) / np.maximum(np.array(fine.shape) - 1, 1)
    points = (vertices * scale + start_vx) @ mask.affine[:3, :3].T + mask.affine[:3, 3]
    # In a right-handed grid, the triangles of scikit-image face inwards.
    turned = triangles[:, ::-1] if np.linalg.det(mask.affine[:3, :3]) > 0 else triangles
    return Surface(np.round(points, DECIMALS_MM).astype(np.float32), np.ascontiguousarray(turned, dtype=np.int32))


def encode_mz3(surface: Surface) -> bytes:
    """Return a surface in MZ3, the gzipped format of Surfice and NiiVue, without color."""
    header = struct.pack("<HHIII", 0x5A4D, 1 | 2, len(surface.triangles), len(surface.vertices_mm), 0)
    content = header + surface.triangles.astype("<i4").tobytes() + surface.vertices_mm.astype("<f4").tobytes()
    return gzip.compress(content, 9, mtime=0)


def write_stl(path: Path, surface: Surface) -> None:
    """Write a surface as binary STL, world coordinates in mm."""
    corners = surface.vertices_mm[surface.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    rows = np.zeros(len(corners), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    rows["normal"], rows["corners"] = normals, corners
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"spineseg, mm, RAS+".ljust(80) + struct.pack("<I", len(rows)) + rows.tobytes())


def write_gifti(path: Path, surface: Surface) -> None:
    """Write a surface as GIfTI, world coordinates in mm (scanner space)."""
    from nibabel.gifti.gifti import GiftiDataArray, GiftiImage

    arrays = [
        GiftiDataArray(surface.vertices_mm, "NIFTI_INTENT_POINTSET", "NIFTI_TYPE_FLOAT32"),
        GiftiDataArray(surface.triangles, "NIFTI_INTENT_TRIANGLE", "NIFTI_TYPE_INT32"),
    ]
    content = GiftiImage(darrays=arrays).to_bytes()
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
