"""Surfaces of masks: position, size, orientation, and file formats."""

import base64
import gzip
import struct

import nibabel as nib
import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.reports.pictures.surfaces import encode_mz3, surface_of, write_gifti, write_stl
from spineseg_cli.reports.qc.volume_3d import volume_3d

RADIUS_MM = 8.0
CENTER_MM = np.array([10.0, -5.0, 20.0])


def ball(spacing_mm=(0.5, 0.5, 1.0), codes=(-1, 1, 1)):
    affine = np.diag([*(np.array(spacing_mm) * codes), 1.0])
    shape = tuple(int(24 / step) for step in spacing_mm)
    affine[:3, 3] = CENTER_MM - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    points = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    return Volume((np.linalg.norm(points - CENTER_MM, axis=-1) < RADIUS_MM).astype(np.uint8), affine)


def signed_volume(surface):
    a, b, c = (surface.vertices_mm[surface.triangles[:, i]].astype(float) for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("codes", [(-1, 1, 1), (1, 1, 1)])
@pytest.mark.parametrize("most", [None, 800])
def test_a_ball(codes, most):
    surface = surface_of(ball(codes=codes), most)
    distances = np.linalg.norm(surface.vertices_mm - CENTER_MM, axis=1)
    assert np.abs(distances - RADIUS_MM).max() < (0.7 if most is None else 1.3)
    assert signed_volume(surface) == pytest.approx(4 / 3 * np.pi * RADIUS_MM**3, rel=0.05 if most is None else 0.12), "outwards"
    assert most is None or len(surface.triangles) <= most


def test_nothing_has_no_surface():
    assert surface_of(ball().with_data(np.zeros(ball().shape, np.uint8))) is None


def test_files(tmp_path):
    surface = surface_of(ball(), 800)
    write_stl(tmp_path / "ball.stl", surface)
    content = (tmp_path / "ball.stl").read_bytes()
    assert struct.unpack("<I", content[80:84])[0] == len(surface.triangles)
    assert len(content) == 84 + 50 * len(surface.triangles)
    np.testing.assert_allclose(np.frombuffer(content[96:132], "<f4").reshape(3, 3), surface.vertices_mm[surface.triangles[0]])
    write_gifti(tmp_path / "ball.surf.gii", surface)
    read = nib.load(tmp_path / "ball.surf.gii")
    np.testing.assert_array_equal(read.agg_data("pointset"), surface.vertices_mm)
    np.testing.assert_array_equal(read.agg_data("triangle"), surface.triangles)
    magic, attributes, faces, vertices, skip = struct.unpack("<HHIII", gzip.decompress(encode_mz3(surface))[:16])
    assert (magic, attributes, faces, vertices, skip) == (0x5A4D, 3, len(surface.triangles), len(surface.vertices_mm), 0)


def test_what_the_view_shows_lies_where_the_scan_does(stored_as):
    mask = ball()
    rng = np.random.default_rng(0)
    image = mask.with_data(100 * mask.data + rng.random(mask.shape, np.float32))
    for codes in ("LAS", "SPR"):
        shown = volume_3d(stored_as(image, codes), {"cord": stored_as(mask, codes)})
        for name in ("scan", "mask"):
            file = nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(shown[name])))
            data = file.get_fdata()
            bright = np.argwhere(data > data.max() / 2)
            center = nib.affines.apply_affine(file.affine, bright.mean(axis=0))
            np.testing.assert_allclose(center, CENTER_MM, atol=0.6)
    assert volume_3d(image, {"cord": mask.with_data(np.zeros(mask.shape, np.uint8))}) is None
