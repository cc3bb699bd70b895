"""The centerline pipeline: its promises with a stand-in for the network, and its results with networks."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.slice_windows import windows_around
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.centers import centers_from_mask
from spineseg_cli.core.localization.choices import CURVES
from spineseg_cli.core.localization.localizer import NetworkLocalizer
from spineseg_cli.core.localization.location import CordLocation, CordView
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.tasks.centerline import centerline_of_mask, find_centerline
from spineseg_cli.tasks.registry import TASKS
from testing.disturbances import empty_ends
from testing.scans import dev_scans

OBLIQUE = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.2, -0.3, 0.4) @ np.diag([-1.0, 1.2, 4.0]), [12.5, -7, 31])
ALGORITHMS = list(CURVES)


def errors_mm(found, cord):
    """Distance of each point from the center of mass of `cord` in its slice, where there is any."""
    scan = to_rpi(cord)
    centers, _ = centers_from_mask(scan)
    truth = nib.affines.apply_affine(scan.affine, np.column_stack([centers, np.arange(len(centers))]))
    labeled = scan.data.any(axis=(0, 1))
    return np.array([np.linalg.norm(p - truth[k]) for k, p in zip(found.slices, found.points_mm, strict=True) if labeled[k]])


# With stand-ins


class BehindTheMiddle(NetworkLocalizer):
    """A localizer that knows that cords lie behind the middle, and is `unsure` of a brightest column anywhere else."""

    unsure = 0.6
    asked = 0

    def locate_by_header(self, scan):
        type(self).asked += 1
        column = scan.data[:, :, :].mean(axis=2)
        center = np.unravel_index(column.argmax(), column.shape)
        confidence = np.full(scan.shape[2], 0.97 if center[1] < scan.shape[1] / 2 else self.unsure)
        return CordLocation(np.tile(center, (scan.shape[2], 1)).astype(float), confidence, confidence > 0.5)


def a_cord(position):
    data = np.random.default_rng(0).random((40, 50, 12)).astype(np.float32)
    data[19:22, position - 1 : position + 2] += 5
    return Volume(data, np.diag([-1.0, 1, 4, 1]))


@pytest.mark.parametrize(("unsure", "verb"), [(0.6, "check"), (0.2, "correct")])
def test_a_header_with_front_and_back_exchanged_is_named(search_model, monkeypatch, unsure, verb):
    localizer = BehindTheMiddle(search=search_model.predictor("cpu"))
    monkeypatch.setattr(BehindTheMiddle, "unsure", unsure)
    found = find_centerline(a_cord(37), localizer)
    assert len(found.slices) == (12 if unsure > 0.5 else 0)
    assert f"a scan of a cord with front and back exchanged: {verb} the header" in " ".join(found.notes)


def test_where_the_networks_are_sure_nothing_else_is_looked_at(search_model, monkeypatch):
    monkeypatch.setattr(BehindTheMiddle, "asked", 0)
    assert find_centerline(a_cord(12), BehindTheMiddle(search=search_model.predictor("cpu"))).notes == ()
    assert BehindTheMiddle.asked == 1


class BesideTheCord(NetworkLocalizer):
    """A localizer whose path is two voxels off; the network along it sees exactly the bright voxels."""

    def locate(self, scan):
        path = np.array([np.argwhere(scan.data[:, :, k] > 2).mean(axis=0) for k in range(scan.shape[2])]) + 2
        windows, slices = windows_around(scan, path, 0.5, 64), np.arange(scan.shape[2])
        sure = np.ones(len(slices))
        view = CordView(windows, slices, windows.extract((scan.data > 2).astype(np.float32), slices), sure, "none")
        return CordLocation(path, sure, sure > 0, view=view)


def test_the_centerline_follows_the_cord_that_is_seen(search_model):
    found = find_centerline(a_cord(12), BesideTheCord(search=search_model.predictor("cpu")))
    in_rpi = nib.affines.apply_affine(np.linalg.inv(to_rpi(found.image).affine), found.points_mm)
    np.testing.assert_allclose(in_rpi[:, :2], np.tile([20, 12], (12, 1)), atol=0.05)


@pytest.mark.parametrize("fitseg", [False, True])
def test_every_storage_order_gives_the_same_centerline(orientations, stored_as, by_search, bright_is_cord, tube, fitseg):
    image, mask = tube((60, 70, 6), (1.0, 1.2, 4.0), OBLIQUE)

    def find(codes):
        if fitseg:
            return centerline_of_mask(stored_as(mask, codes))
        return find_centerline(stored_as(image, codes), by_search)

    expected = find("LAS")
    assert expected.mask.data.sum() == 6
    for codes in orientations:
        found = find(codes)
        np.testing.assert_array_equal(stored_as(found.mask, "LAS").data, expected.mask.data, err_msg=codes)
        np.testing.assert_array_equal(found.slices, expected.slices)
        np.testing.assert_array_equal(found.confidence, expected.confidence)
        np.testing.assert_allclose(found.points_mm, expected.points_mm, atol=1e-9)
        np.testing.assert_allclose(found.tangents, expected.tangents, atol=1e-9)
        np.testing.assert_allclose(nib.affines.apply_affine(found.image.affine, found.points_vx), found.points_mm, atol=1e-9)


def test_a_center_between_two_voxels_is_drawn_in_the_same_one_in_every_storage_order(orientations, stored_as):
    data = np.zeros((12, 10, 5), np.uint8)
    data[4:8, 3:7] = 1
    mask = Volume(data, np.diag([-0.7, 0.9, 3.3, 1.0]))
    expected = centerline_of_mask(mask).mask.data
    assert np.flatnonzero(expected.any(axis=(1, 2))) == [6]
    for codes in orientations:
        found = centerline_of_mask(stored_as(mask, codes)).mask
        np.testing.assert_array_equal(stored_as(found, "LAS").data, expected, err_msg=codes)


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 6)),
    st.tuples(st.floats(0.05, 3), st.floats(0.05, 3), st.floats(0.2, 10)),
    st.sampled_from(ALGORITHMS),
    st.booleans(),
)
def test_any_shape_and_voxel_size(by_search, bright_is_cord, tube, shape, spacing_mm, algorithm, extrapolate):
    image, _ = tube(shape, spacing_mm)
    found = find_centerline(image, by_search, algorithm=algorithm, extrapolate=extrapolate)
    assert found.mask.shape == shape
    assert found.mask.data.dtype == np.uint8
    assert found.mask.data.sum() <= len(found.slices) <= shape[2]
    assert np.isfinite(found.points_mm).all()
    np.testing.assert_allclose(np.linalg.norm(found.tangents, axis=1), 1)


@pytest.mark.parametrize("extrapolate", [False, True])
@pytest.mark.parametrize(("ends", "value", "codes"), [((0, 7), 0, "LAS"), ((1, 0), -32768, "SPL"), ((23, 1), 65535, "ARI")])
def test_empty_slices_at_the_ends_change_nothing(by_search, bright_is_cord, tube, stored_as, extrapolate, ends, value, codes):
    """But for how far it is extrapolated: to the ends of the image."""
    image, mask = tube((60, 70, 9), (1.0, 1.25, 4.0))
    padded = stored_as(empty_ends(*ends, value)(image, mask.data)[0], codes)
    expected, found = (find_centerline(scan, by_search, extrapolate=extrapolate) for scan in (image, padded))
    own = slice(ends[0], ends[0] + 9) if extrapolate else slice(None)
    np.testing.assert_array_equal(found.slices, np.arange(sum(ends) + 9) if extrapolate else expected.slices + ends[0])
    for name in ("points_mm", "tangents", "confidence"):
        np.testing.assert_array_equal(getattr(found, name)[own], getattr(expected, name), err_msg=name)
    np.testing.assert_array_equal(to_rpi(found.mask).data[..., ends[0] : ends[0] + 9], expected.mask.data)
    assert not np.delete(found.confidence, own).any()
    np.testing.assert_allclose(nib.affines.apply_affine(padded.affine, found.points_vx), found.points_mm, atol=1e-9)


@pytest.mark.parametrize("method", ["optic", "cnn"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.2, 4.0), (0.7, 0.5, 0.8)])
def test_the_curve_follows_the_tube(by_search, bright_is_cord, tube, method, algorithm, spacing_mm):
    image, mask = tube((90, 110, 14), spacing_mm)
    found = find_centerline(image, replace(by_search, method=method), algorithm=algorithm)
    assert found.slices.tolist() == list(range(14))
    assert errors_mm(found, mask).max() < 0.5
    upwards = np.array([-0.2, -0.1, 1]) / np.linalg.norm([0.2, 0.1, 1])
    np.testing.assert_allclose(found.tangents, np.tile(upwards, (14, 1)), atol=0.3 if algorithm == "linear" else 0.05)


def test_wiggles_are_smoothed_out_unless_they_are_longer_than_asked():
    mask = np.zeros((40, 40, 60), np.uint8)
    mask[np.where(np.arange(60) // 2 % 2, 18, 22), 20, np.arange(60)] = 1  # 4 mm to and fro, every 4 mm
    wiggle = Volume(mask, np.eye(4))
    spread = {smooth: np.ptp(centerline_of_mask(wiggle, smooth_mm=smooth).points_mm[15:45, 0]) for smooth in (1.0, 30.0)}
    assert spread[1.0] > 3.5
    assert spread[30.0] < 0.1


@pytest.mark.parametrize("brain", [None, False])
@pytest.mark.parametrize("extrapolate", [False, True])
def test_nothing_is_extrapolated_unless_asked(by_search, bright_is_cord, tube, brain, extrapolate):
    """Slices 0 to 2 and 10 to 13 are black but for a voxel; without a brain, the cord goes on to the top."""
    image, mask = tube((60, 70, 14))
    black = np.isin(np.arange(14), [0, 1, 2, 10, 11, 12, 13])
    data = np.where(black, np.float32(0), image.data)
    data[0, 0] = 1
    image = image.with_data(data)
    found = find_centerline(image, replace(by_search, brain=brain), extrapolate=extrapolate)
    first, stop = (0 if extrapolate else 3), (10 if brain is None and not extrapolate else 14)
    assert found.slices.tolist() == list(range(first, stop))
    assert ((found.confidence > 0.4) == ~black[first:stop]).all()
    assert errors_mm(found, mask).max() < 1


def test_nothing_to_find(by_search, bright_is_cord, tube):
    image, mask = tube()
    found = find_centerline(image.with_data(np.where(mask.data, np.float32(10), image.data)), by_search)
    assert found.points_mm.shape == found.points_vx.shape == found.tangents.shape == (0, 3)
    assert not found.mask.data.any()
    header, rows = found.table()
    assert rows == []
    assert header == [
        *("slice", "x_vx", "y_vx", "z_vx", "x_mm", "y_mm", "z_mm"),
        *("tangent_x", "tangent_y", "tangent_z", "confidence"),
    ]
    with pytest.raises(InputError, match="the centerline is empty"):
        centerline_of_mask(mask.with_data(mask.data * 0))


def test_the_center_of_a_phantoms_mask_is_its_centerline():
    phantom = make_phantom(region=(10, 60), fov_mm=(40.0, 40.0), seed=2)
    found = centerline_of_mask(phantom.cord)
    depth = phantom.centerline_mm[::-1]
    truth = np.stack([np.interp(found.points_mm[:, 2], depth[:, 2], depth[:, axis]) for axis in (0, 1)], axis=-1)
    assert np.linalg.norm(found.points_mm[:, :2] - truth, axis=1).max() < 0.5  # the voxels' size


# With the shipped network


@pytest.fixture(scope="module")
def localizer():
    task = TASKS["centerline"]
    return task.localizer(task.find_model().predictor("cpu"))


@pytest.mark.parametrize(("contrast", "region", "size_scale"), [("t1", (150, 200), 0.7), ("t2s", "lumbar", 1.0)])
def test_phantoms_of_the_chest_and_the_conus(localizer, contrast, region, size_scale):
    phantom = make_phantom(contrast=contrast, region=region, size_scale=size_scale, offset_mm=(15.0, -10.0), seed=5)
    found = find_centerline(phantom.image, localizer)
    with_cord = phantom.cord.data.any(axis=(0, 1))
    error = errors_mm(found, phantom.cord)
    assert len(error) > 0.9 * with_cord.sum(), "some slices at the tip of the conus may be missed"
    assert np.median(error) < 1
    assert error.max() < 5
    assert with_cord.argmax() - found.slices[0] <= 2, "at most 10 mm too far"


# Real scans


def images_of(name):
    """A development scan, and the mask of its cord."""
    (scan,) = dev_scans((name,))
    return read_volume(scan.image_path), read_volume(scan.mask_path, kind="mask")


def test_a_whole_cord_in_one_go(shared, localizer):
    """From the brain, which the top 20 slices show, to the sacrum: the lowest 12 lie below the vertebra L1."""
    image, cord = images_of("pam50")
    found = find_centerline(image, localizer)
    error = errors_mm(found, cord)
    assert len(error) == cord.data.any(axis=(0, 1)).sum()
    assert np.median(error) <= 1.0
    assert error.max() <= 5.0
    assert 12 <= found.slices[0] <= found.slices[-1] < image.shape[2] - 20


@pytest.mark.parametrize(
    "name",
    ["gm-9604", "gm-9669", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gm-10062Ses1", "gm-10062Ses2", "gm-9418"))],
)
def test_axial_scans(shared, localizer, name):
    image, cord = images_of(name)
    found = find_centerline(image, localizer)
    error = errors_mm(found, cord)
    assert len(error) == to_rpi(cord).data.any(axis=(0, 1)).sum()
    assert np.median(error) <= 1.0
    assert error.max() <= 5.0


@pytest.mark.slow
@pytest.mark.parametrize("contrast", ["t2", "t2s"])
def test_published_networks_find_a_whole_cord(shared, contrast):
    image, cord = images_of("pam50")
    published = TASKS["centerline"].find_model(str(shared / "peers" / "sct_centerline" / f"{contrast}_ctr.h5"))
    assert published.outputs == ("centerline",)
    found = find_centerline(image, TASKS["centerline"].localizer(published.predictor("cpu")))
    error = errors_mm(found, cord)
    assert len(error) == cord.data.any(axis=(0, 1)).sum()
    assert np.median(error) < 0.5
    assert error.max() < 1
