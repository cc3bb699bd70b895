"""The part of an image that has signal: which slices it has, and that nothing is moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.image.cropped import Block
from spineseg_cli.core.image.intensity import prepared
from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.signal_part import SignalPart
from spineseg_cli.core.image.stored import StoredVoxels
from spineseg_cli.core.image.volume import Volume
from testing.disturbances import empty_ends

AFFINE = np.array([[-0.5, 0, 0.1, 3], [0, 0.7, 0, -4], [0.02, 0, 4, 5], [0, 0, 0, 1]])


def noise(shape):
    return Volume(np.random.default_rng(0).integers(0, 200, shape).astype(np.float32), AFFINE)


@given(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.0, -32768.0, 65535.0]), st.sampled_from(range(48)))
def test_it_is_what_was_there_before_slices_were_added(orientations, stored_as, below, above, value, order):
    scan = noise((4, 5, 3))
    padded, _ = empty_ends(below, above, value)(scan, np.zeros(scan.shape, bool))
    image = stored_as(padded, orientations[order])
    part = SignalPart.of(image)
    assert (part.below, part.above) == (below, above)
    cut = part.cut(part.whole)
    np.testing.assert_array_equal(cut.data, scan.data)
    np.testing.assert_allclose(cut.affine, scan.affine, atol=1e-12)
    # What is placed by its voxels in the part lies there in the image, whatever the orientation.
    block = Block(scan.data[1:3, 2:4, 1:2], (1, 2, 1))
    placed = part.on_image([block], np.float32).whole().data
    (x0, x1), (y0, y1), (z0, z1) = part.box_on_image([[1, 3], [2, 4], [1, 2]])
    np.testing.assert_array_equal(placed[x0:x1, y0:y1, z0:z1], image.data[x0:x1, y0:y1, z0:z1])
    assert np.count_nonzero(placed) == np.count_nonzero(block.data)


def test_a_scan_with_signal_at_its_ends_is_left_as_it_is():
    """Also one with empty slices between others, and one whose only signal is a voxel in the corner of each end."""
    data = np.zeros((5, 6, 7), np.float32)
    data[-1, 0, [0, -1]] = 1
    image = Volume(data, AFFINE)
    part = SignalPart.of(image)
    assert (part.below, part.above) == (0, 0)
    assert part.cut(part.whole) is part.whole
    assert np.shares_memory(prepared(image).data, image.data)


@pytest.mark.parametrize("data", [np.zeros((3, 4, 5)), np.ones((3, 4, 5)) * np.arange(5)])
def test_a_scan_without_signal_is_left_as_it_is(data):
    part = SignalPart.of(Volume(data.astype(np.float32), AFFINE))
    assert (part.below, part.above) == (0, 0)


def test_few_slices_are_read_and_none_is_copied(tmp_path, monkeypatch):
    padded, _ = empty_ends(2, 1)(noise((40, 50, 60)), np.zeros((40, 50, 60), bool))
    write_volume(tmp_path / "scan.nii", padded, np.int16)
    image, read = read_volume(tmp_path / "scan.nii", as_stored=True), []
    one = StoredVoxels.__getitem__
    monkeypatch.setattr(StoredVoxels, "__getitem__", lambda self, key: read.append(key) or one(self, key))
    part = SignalPart.of(image)
    assert {key[2] for key in read} == {0, 1, 2, 61, 62}
    cut = part.cut(part.whole).data
    assert np.shares_memory(cut.stored, image.data.stored)
    np.testing.assert_array_equal(cut, to_rpi(padded).data[:, :, 2:-1])
