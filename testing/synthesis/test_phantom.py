"""The phantom: areas as in the tables, exact ground truth, and any grid."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.anatomy import CONUS_TIP_MM, level_mm
from spineseg_cli.synthesis.canal import canal_slice
from spineseg_cli.synthesis.curve import make_curve
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.synthesis.scanner import CORD_TISSUES, Tissue
from spineseg_cli.synthesis.subject import draw_subject

QUIET = {"noise": 0.0, "bias": 0.0}


def section(position_mm, seed=0, **kwargs):
    """A thin section, finely sampled, of a straight spine; its areas in mm2 for the average subject."""
    phantom = make_phantom(
        region=(position_mm - 0.2, position_mm + 0.2),
        spacing_mm=(0.1, 0.1, 0.4),
        fov_mm=(20, 20),
        curvature=0,
        seed=seed,
        **kwargs,
    )
    subject = draw_subject(np.random.default_rng([seed, 0]))
    cord = phantom.cord.data.sum() * 0.01 / subject.area_factor
    gray = phantom.gray_matter.data.sum() * 0.01 / subject.area_factor / subject.gray_factor
    return phantom, cord, gray


@pytest.mark.parametrize(
    ("level", "fraction", "cord_mm2", "gray_mm2"), [("C2", 1.1, 72, 13.0), ("T7", 0.5, 35, 4.7), ("T11", 1.15, 65, 17.0)]
)
@pytest.mark.parametrize("seed", [0, 7])
def test_areas_are_those_of_the_table(level, fraction, cord_mm2, gray_mm2, seed):
    _, cord, gray = section(level_mm(level, fraction), seed)
    # 0.1 mm voxels: a contour of 30 mm crosses 300 of them, each within half a voxel and with random sign.
    assert cord == pytest.approx(cord_mm2, rel=0.005)
    assert gray == pytest.approx(gray_mm2, rel=0.02)


def test_area_scales_with_the_square_of_the_size():
    _, cord, _ = section(0.7 * level_mm("C4", 0.5), size_scale=0.7)
    _, adult, _ = section(level_mm("C4", 0.5))
    assert cord == pytest.approx(0.49 * adult, rel=0.02)


def test_a_tilted_cord_is_cut_to_its_area_over_the_cosine():
    subject = draw_subject(np.random.default_rng([0, 0]))
    position = level_mm("T11", 0.5)
    depth = make_curve(subject, 1.0, 1.5).depth_of_arc(position)
    phantom = make_phantom(region=(depth - 0.25, depth + 0.25), spacing_mm=(0.1, 0.1, 0.5), fov_mm=(20, 20), curvature=1.5)
    direction = np.diff(phantom.centerline_mm[[0, -1]], axis=0)[0]
    cosine = -direction[2] / np.linalg.norm(direction)
    assert cosine < 0.98
    expected = canal_slice(position, subject).cord.area_mm2 / cosine
    assert phantom.cord.data.sum() * 0.01 == pytest.approx(expected, rel=0.01)


def test_it_tapers_to_the_conus_and_is_empty_below():
    conus = CONUS_TIP_MM
    phantom = make_phantom(region=(conus - 40, conus + 10), spacing_mm=(0.4, 0.4, 2.0), fov_mm=(30, 30), curvature=0)
    areas = phantom.cord.data.sum(axis=(0, 1))[::-1] * 0.16
    assert areas[0] > 55
    assert (np.diff(areas) <= 0.5).all()
    assert (areas[21:] == 0).all()
    assert phantom.centerline_mm[-1, 2] == pytest.approx(-conus, abs=0.5)
    below = make_phantom(region=(conus + 5, conus + 25))
    assert not below.cord.data.any()
    assert not below.gray_matter.data.any()
    assert below.centerline_mm.shape == (0, 3)
    assert (below.labels.data == Tissue.ROOT).any()


def test_the_butterfly_has_two_horns_a_side():
    phantom, *_ = section(level_mm("C5", 0.5))
    gray = phantom.gray_matter.data[..., 0]
    half_way = [np.flatnonzero(np.diff(gray[:, round(100 + y)].astype(int))).size for y in (10, -14)]
    assert half_way == [4, 4]
    assert ndimage.label(gray)[1] == 1
    assert gray[:, 100:].sum() > gray[:, :100].sum()  # the anterior horns are the broad ones


def test_same_seed_same_bytes_and_another_seed_another_subject():
    args = {"region": (40.0, 50.0), "spacing_mm": (0.8, 0.8, 5.0), "fov_mm": (40, 40)}
    first, again, other = (make_phantom(seed=seed, **args) for seed in (3, 3, 4))
    for name in ("image", "cord", "gray_matter", "labels"):
        assert getattr(first, name).data.tobytes() == getattr(again, name).data.tobytes()
    assert (first.cord.data != other.cord.data).any()
    assert (first.image.data != other.image.data).mean() > 0.9


def test_contrast_and_noise_leave_the_anatomy_alone():
    first = make_phantom(region=(40.0, 45.0), contrast="t1")
    second = make_phantom(region=(40.0, 45.0), contrast="t2", noise=0.2, bias=0.0)
    np.testing.assert_array_equal(first.labels.data, second.labels.data)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("contrast", "order"),
    [
        ("t2s", (Tissue.CSF, Tissue.GRAY_MATTER, Tissue.WHITE_MATTER, Tissue.CORTICAL_BONE)),
        ("t2", (Tissue.CSF, Tissue.GRAY_MATTER, Tissue.WHITE_MATTER, Tissue.CORTICAL_BONE)),
        ("t1", (Tissue.EPIDURAL_FAT, Tissue.WHITE_MATTER, Tissue.GRAY_MATTER, Tissue.CSF)),
    ],
)
def test_tissues_are_as_bright_as_the_contrast_has_them(contrast, order, seed):
    phantom = make_phantom(contrast=contrast, region=(50.0, 52.0), spacing_mm=(0.25, 0.25, 1.0), fov_mm=(40, 40), seed=seed)
    means = [np.median(phantom.image.data[phantom.labels.data == tissue]) for tissue in order]
    assert all(brighter > 1.05 * darker for brighter, darker in zip(means, means[1:], strict=False))
    assert phantom.image.data.dtype == np.float32
    assert phantom.image.data.min() >= 0


def test_orientation_and_offset():
    phantom = make_phantom(region=(40.0, 50.0), spacing_mm=(0.5, 0.6, 2.5), fov_mm=(50, 60), offset_mm=(5.0, -7.0), **QUIET)
    assert nib.aff2axcodes(phantom.image.affine) == ("L", "A", "S")
    assert phantom.image.shape == (100, 100, 4)
    assert phantom.image.spacing_mm == (0.5, 0.6, 2.5)
    world = nib.affines.apply_affine(phantom.image.affine, ndimage.center_of_mass(phantom.cord.data))
    center = nib.affines.apply_affine(phantom.image.affine, (np.array(phantom.image.shape) - 1) / 2)
    np.testing.assert_allclose(world - center, (5.0, -7.0, 0.0), atol=0.3)
    # Superior is last: the spinous process and the skin of the back are behind the cord, the vertebral body before it.
    body = ndimage.center_of_mass(phantom.labels.data == Tissue.MARROW)
    fat = ndimage.center_of_mass(phantom.labels.data == Tissue.EPIDURAL_FAT)
    assert fat[1] < body[1]


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    spacing=st.tuples(*[st.sampled_from([0.18, 0.5, 1.0, 2.3, 5.0])] * 3),
    fov=st.tuples(*[st.floats(20, 45)] * 2),
    offset=st.tuples(*[st.floats(-30, 30)] * 2),
    start=st.floats(0, 480),
    size=st.floats(0.6, 1.3),
    seed=st.integers(0, 2**31),
)
def test_every_grid_works_and_its_truth_agrees(spacing, fov, offset, start, size, seed):
    phantom = make_phantom(
        region=(start, start + 2 * spacing[2]), spacing_mm=spacing, fov_mm=fov, offset_mm=offset, size_scale=size, seed=seed
    )
    assert np.isfinite(phantom.image.data).all()
    assert phantom.image.shape == (max(1, round(fov[0] / spacing[0])), max(1, round(fov[1] / spacing[1])), 2)
    cord, gray = phantom.cord.data > 0, phantom.gray_matter.data > 0
    assert not (gray & ~cord).any()
    np.testing.assert_array_equal(cord, np.isin(phantom.labels.data, CORD_TISSUES))
    np.testing.assert_array_equal(gray, phantom.labels.data == Tissue.GRAY_MATTER)
    line = phantom.centerline_mm
    assert (np.linalg.norm(np.diff(line, axis=0), axis=1) <= 1).all()


@pytest.mark.parametrize("seed", [0, 5])
def test_the_centerline_is_the_center_of_mass(seed):
    phantom = make_phantom(region="whole", spacing_mm=(0.7, 0.7, 12.0), fov_mm=(70, 75), seed=seed)
    for k in np.flatnonzero(phantom.cord.data.sum(axis=(0, 1)) > 20):
        i, j = ndimage.center_of_mass(phantom.cord.data[..., k])
        x, y, z = nib.affines.apply_affine(phantom.cord.affine, (i, j, k))
        nearest = phantom.centerline_mm[np.abs(phantom.centerline_mm[:, 2] - z).argmin()]
        # A slice 12 mm thick averages the bend of the cord; the rest is the voxels' edge.
        np.testing.assert_allclose((x, y), nearest[:2], atol=0.25)


@pytest.mark.parametrize(
    "wrong",
    [
        {"contrast": "flair"},
        {"region": "sacral"},
        {"region": (50, 40)},
        {"region": (-5, 40)},
        {"spacing_mm": (0, 1, 1)},
        {"spacing_mm": (1, 1)},
        {"fov_mm": (float("nan"), 50)},
        {"size_scale": 9},
        {"noise": -1},
        {"seed": -1},
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(wrong):
    with pytest.raises(InputError, match="a phantom's .*; got .*: "):
        make_phantom(**wrong)
