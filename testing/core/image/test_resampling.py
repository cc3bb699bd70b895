"""In-plane resampling: constants, world positions, totals, and the way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spineseg_cli.core.image.resampling import resample_inplane, resampled_length, resampling_matrix
from spineseg_cli.core.image.volume import Volume

SPACINGS = st.floats(0.05, 2.0)
LENGTHS = st.integers(1, 40)
MASKS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(2)), elements=st.integers(0, 1))


def volume_of(data, x_mm, y_mm):
    return Volume(data, np.diag([-x_mm, y_mm, 4.0, 1.0]))


@given(LENGTHS, SPACINGS, SPACINGS, st.sampled_from(["edges", "centers"]), st.sampled_from(["mean", "linear"]))
def test_rows_are_weights(n, spacing, new_spacing, align, reduce):
    """Non-negative and of sum 1: constants stay, and a probability stays one."""
    matrix = resampling_matrix(n, spacing, resampled_length(n, spacing, new_spacing), new_spacing, align, reduce)
    assert matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)


@given(LENGTHS, st.integers(2, 5))
def test_averaging_over_whole_blocks_conserves_the_total(blocks, factor):
    line = np.random.default_rng(blocks).random(blocks * factor)
    matrix = resampling_matrix(len(line), 0.25, blocks, 0.25 * factor)
    np.testing.assert_allclose(matrix @ line, line.reshape(blocks, factor).mean(axis=1), rtol=1e-5)


@given(MASKS, st.floats(1.75, 6), st.floats(1.75, 6))
def test_refine_and_back_is_the_identity_of_masks(mask, x, y):
    """For voxels at least 1.75 times coarser: a lone one keeps more than 0.71 of its extent along each axis."""
    fine = resample_inplane(volume_of(mask, 0.25 * x, 0.25 * y), 0.25).data
    along_x, along_y = (resampling_matrix(fine.shape[i], 0.25, mask.shape[i], 0.25 * (x, y)[i]) for i in (0, 1))
    back = np.einsum("ax,xyz,by->abz", along_x, fine, along_y)
    np.testing.assert_array_equal(back >= 0.5, mask)


@given(MASKS)
def test_an_equal_spacing_changes_nothing(mask):
    original = volume_of(mask, 0.25, 0.25)
    np.testing.assert_array_equal(resample_inplane(original, 0.25).data, mask)


@pytest.mark.parametrize("spacing_mm", [0.07, 0.25, 0.4, 0.6, 1.0, (1.0, 0.25)])
def test_a_point_keeps_its_world_position(spacing_mm):
    """A ramp in world coordinates is the same ramp on the new grid, away from the edges: nothing moves by half a voxel."""
    affine = np.array([[-0.4, 0, 0.1, 7], [0.03, 0.5, 0, -3], [0, 0.1, 4.0, 11], [0, 0, 0, 1.0]])

    def ramp(shape, affine):
        index = np.stack([*np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), np.ones(shape)])
        return np.einsum("i,ij,jxyz->xyz", [1.0, -2.0, 0.5, 0], affine, index)

    fine = resample_inplane(Volume(ramp((40, 50, 3), affine), affine), spacing_mm)
    margin = int(np.ceil(1 / np.min(spacing_mm))) + 1
    inner = (slice(margin, -margin), slice(margin, -margin))
    # Averages over a part of a voxel take it as constant: within an eighth of its step. Half a voxel would be 0.7 here.
    atol = 1e-4 if np.max(spacing_mm) <= 0.4 else 0.125
    np.testing.assert_allclose(fine.data[inner], ramp(fine.shape, fine.affine)[inner], atol=atol)
    np.testing.assert_allclose(fine.spacing_mm[:2], spacing_mm, atol=1e-6)


def test_published_alignment_keeps_the_first_center():
    matrix = resampling_matrix(4, 0.5, 8, 0.25, align="centers", reduce="linear")
    np.testing.assert_allclose(matrix @ np.arange(4.0), [0, 0.5, 1, 1.5, 2, 2.5, 3, 3])
    back = resampling_matrix(8, 0.25, 4, 0.5, align="centers", reduce="linear")
    np.testing.assert_allclose(back @ np.arange(8.0), [0, 2, 4, 6])
