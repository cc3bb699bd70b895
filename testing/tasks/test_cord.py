"""The cord pipeline: its promises with stand-ins for the networks, and its results with the shipped ones."""

import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.localizer import MaskLocalizer
from spineseg_cli.core.localization.view import view_cord
from spineseg_cli.core.outlines.cord import MOST_MOVED_MM
from spineseg_cli.synthesis.anatomy import CONUS_TIP_MM
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.tasks.cord import segment_cord
from testing.disturbances import empty_ends
from testing.overlap import dice_of
from testing.tasks.segmentations import assert_the_same_between_empty_ends, slices_of

OBLIQUE = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.2, -0.3, 0.4) @ np.diag([-1.0, 1.2, 4.0]), [12.5, -7, 31])


# With stand-ins


@pytest.mark.parametrize("guided", [False, True])
def test_every_storage_order_gives_the_same_physical_mask(
    orientations, stored_as, stub, stub_model, by_search, bright_is_cord, tube, guided
):
    image, mask = tube((60, 70, 6), (1.0, 1.2, 4.0), OBLIQUE)
    model = replace(stub_model, outputs=("cord", "gray_matter"))
    predictor = replace(model.predictor(), open_runtime=lambda: stub)

    def localizer(line):
        return MaskLocalizer(mask=line, search=by_search.search) if guided else by_search

    expected = segment_cord(image, predictor, localizer(mask))
    assert 100 < expected.mask.data.sum() < 2000, "the stand-in must tell voxels apart"
    for i, codes in enumerate(orientations):
        line = stored_as(mask, orientations[-i]) if guided else None  # in another order than the image
        result = segment_cord(stored_as(image, codes), predictor, localizer(line))
        for name in ("mask", "probability"):
            back = stored_as(getattr(result, name), "".join(nib.aff2axcodes(image.affine)))
            np.testing.assert_array_equal(back.data, getattr(expected, name).data, err_msg=f"{name} {codes}")
            np.testing.assert_array_equal(getattr(result, name).affine, stored_as(image, codes).affine)


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize(("ends", "value", "codes"), [((0, 7), 0, "LAS"), ((1, 0), -32768, "SPL"), ((23, 1), 65535, "ARI")])
def test_empty_slices_at_the_ends_change_nothing(
    cord_model, by_search, bright_is_cord, tube, stored_as, guided, ends, value, codes
):
    """They are left out of all that is computed, but slices are counted with them; a given centerline may go on in them."""
    image, mask = tube((60, 70, 16), (1.0, 1.25, 4.0))
    data = image.data.copy()
    data[:, :, 5:10] = 1  # the signal is lost
    image = image.with_data(data)
    padded, _ = empty_ends(*ends, value)(image, mask.data)
    line = padded.with_data(np.pad(mask.data, ((0, 0), (0, 0), ends), mode="edge"))
    expected, result = (
        segment_cord(scan, cord_model.predictor(), MaskLocalizer(mask=given) if guided else by_search)
        for scan, given in ((image, mask), (stored_as(padded, codes), line))
    )
    assert_the_same_between_empty_ends(result, expected, *ends)
    (note,) = expected.notes
    assert result.notes == (note.replace("5-9", f"{5 + ends[0]}-{9 + ends[0]}"),)


def test_a_centerline_in_empty_slices_alone_gives_an_empty_mask(cord_model, bright_is_cord, tube):
    image, mask = tube()
    padded, beyond = empty_ends(3, 0)(image, mask.data)
    beyond[..., 0] = True
    beyond[..., 1:] = False
    result = segment_cord(padded, cord_model.predictor(), MaskLocalizer(mask=padded.with_data(beyond)))
    assert not result.mask.data.any()


@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 6)),
    st.tuples(st.floats(0.05, 3), st.floats(0.05, 3), st.floats(0.2, 10)),
    st.sampled_from([{}, {"mirror": True}, {"depth": 8}]),
)
def test_any_shape_and_voxel_size(cord_model, by_search, bright_is_cord, tube, shape, spacing_mm, steps):
    """Also a single voxel, and images smaller than a window: masks on the image's grid, made of 0 and 1."""
    image, _ = tube(shape, spacing_mm)
    model = replace(cord_model, config=replace(cord_model.config, window=24, **steps))
    result = segment_cord(image, model.predictor(), by_search)
    assert result.mask.shape == result.probability.shape == shape
    assert (result.mask.data.dtype, result.probability.data.dtype) == (np.uint8, np.float32)
    assert set(np.unique(result.mask.data)) <= {0, 1}
    assert 0 <= result.probability.data.min() <= result.probability.data.max() <= 1


@pytest.mark.parametrize("depth", [0, 48])
@pytest.mark.parametrize(
    ("shape", "spacing_mm"),
    [
        ((120, 140, 5), (0.5, 0.45, 4.0)),
        ((60, 70, 1), (1.0, 0.9, 4.0)),
        ((24, 28, 40), (1.0, 0.9, 0.5)),
        ((70, 30, 20), (0.3, 1.0, 1.0)),
    ],
)
def test_the_tube_is_found_and_filled(cord_model, by_search, bright_is_cord, tube, shape, spacing_mm, depth):
    image, mask = tube(shape, spacing_mm)
    model = replace(cord_model, config=replace(cord_model.config, depth=depth))
    assert dice_of(segment_cord(image, model.predictor(), by_search).mask.data, mask.data) > 0.9


def test_an_oblique_header_changes_nothing(cord_model, by_search, bright_is_cord, tube):
    upright, oblique = (
        segment_cord(tube(spacing_mm=(1.0, 1.2, 4.0), affine=affine)[0], cord_model.predictor(), by_search)
        for affine in (None, OBLIQUE)
    )
    np.testing.assert_array_equal(upright.mask.data, oblique.mask.data)


def test_soft_results_fade_around_the_mask_and_end_near_it(cord_model, by_search, bright_is_cord, tube):
    result = segment_cord(tube()[0], cord_model.predictor(), by_search)
    soft, mask = result.probability.data, result.mask.data > 0
    assert soft[mask].min() > 0.5
    assert (soft[~mask] > 0).any()
    assert not soft[~ndimage.binary_dilation(mask, iterations=2)].any()


def test_each_slice_by_itself_or_all_together(cord_model, by_search, bright_is_cord, tube):
    """A spot brighter than the tube, in one slice."""
    image, mask = tube((100, 90, 9))
    data = image.data.copy()
    data[5:17, 5:17, 4] += 300
    predictor = cord_model.predictor()
    path, alone = (segment_cord(image.with_data(data), predictor, replace(by_search, method=m)) for m in ("optic", "cnn"))
    assert dice_of(path.mask.data, mask.data) > 0.9
    assert not (alone.mask.data * mask.data)[..., 4].any()


def test_thin_slices_are_interpolated_between_those_seen(cord_model, by_search, bright_is_cord, tube, monkeypatch):
    seen = []

    def count(scan, centers, slices, predictor):
        seen.append(len(slices))
        return view_cord(scan, centers, slices, predictor)

    for module in ("localization.localizer", "outlines.cord"):
        monkeypatch.setattr(f"spineseg_cli.core.{module}.view_cord", count)
    image, _ = tube((60, 60, 80), (1.0, 1.0, 0.5))
    masks, counts = [], []
    for most_moved_mm in (MOST_MOVED_MM, 0):
        monkeypatch.setattr("spineseg_cli.core.outlines.cord.MOST_MOVED_MM", most_moved_mm)
        masks.append(segment_cord(image, cord_model.predictor(), by_search).mask.data)
        counts.append(sum(seen))
        seen.clear()
    assert dice_of(*masks) > 0.99
    assert counts[0] < 0.4 * counts[1]


def test_what_the_cord_network_does_not_see_is_no_cord(cord_model, by_search, bright_is_cord, tube, monkeypatch):
    """Evidence of both networks decides, unless a centerline says where the cord is."""
    image, mask = tube((60, 60, 25), (1.0, 1.0, 4.0))
    monkeypatch.setattr("spineseg_cli.core.image.slice_windows.PART_SLICES", 25)  # predicted by one call

    def predict(windows):
        prediction = bright_is_cord.predict(windows)
        prediction[12:] = 0
        return prediction

    def mask_by(predict):
        runtime = SimpleNamespace(predict=predict)
        return segment_cord(image, replace(cord_model.predictor(), open_runtime=lambda: runtime), by_search).mask

    assert slices_of(mask_by(predict)).tolist() == [k < 12 for k in range(25)]
    assert not mask_by(lambda windows: np.zeros((*windows.shape, 1))).data.any()


def test_both_sides_of_a_gap_are_kept_and_the_gap_is_named(cord_model, by_search, bright_is_cord, tube):
    image, mask = tube((60, 60, 25), (1.0, 1.0, 4.0))
    data = image.data.copy()
    data[:, :, 8:13] = 1  # the signal is lost over 20 mm
    result = segment_cord(image.with_data(data), cord_model.predictor(), by_search)
    assert slices_of(result.mask).tolist() == [not 8 <= k < 13 for k in range(25)]
    assert result.notes == ("no cord can be seen in the axial slices 8-12 from below (20 mm), between others that have it",)
    assert segment_cord(image, cord_model.predictor(), by_search).notes == ()
    data = image.data.copy()
    data[:, :, 8] = 1
    (note,) = segment_cord(image.with_data(data), cord_model.predictor(), by_search).notes
    assert note == "no cord can be seen in the axial slice 8 from below (4 mm), between others that have it"


def test_a_line_beside_the_cord_gives_no_less_than_a_search(cord_model, by_search, only_bright_is_cord, tube):
    image, mask = tube((60, 70, 8), (1.0, 1.0, 4.0))
    searched = segment_cord(image, cord_model.predictor(), by_search)
    for shift in (9, 25):
        beside = mask.with_data(np.roll(mask.data, shift, axis=1))
        given = segment_cord(image, cord_model.predictor(), MaskLocalizer(mask=beside, search=by_search.search))
        assert dice_of(given.mask.data, searched.mask.data) > 0.97


@pytest.mark.parametrize("distance_mm", [0.5, 4.0])
def test_where_slabs_begin_does_not_show(cord_model, by_search, bright_is_cord, tube, monkeypatch, distance_mm):
    image, _ = tube((24, 28, 40), (1.0, 0.9, distance_mm))
    whole, parts = [], []
    for slices, results in ((64, whole), (7, parts)):
        monkeypatch.setattr("spineseg_cli.core.image.slabs.SLICES", slices)
        monkeypatch.setattr("spineseg_cli.core.image.slabs.PART_SLICES", slices - 2)
        monkeypatch.setattr("spineseg_cli.core.outlines.contour.SECTIONS_AT_A_TIME", slices)
        result = segment_cord(image, cord_model.predictor(), by_search)
        results += [result.mask.data, result.probability.data, result.confidence.slices]
    assert whole[0].any()
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("depth", "times"), [(0, 1.5), (48, 5)])
def test_memory_of_a_whole_spine(cord_model, by_search, bright_is_cord, tube, stored_as, depth, times):
    """At 0.5 mm it takes 200 MB. Slices that are seen one by one take half as much again; 3-D patches are of all slices."""
    image = stored_as(tube((60, 100, 600), (0.5, 0.5, 0.5))[0], "PIR")
    model = replace(cord_model, config=replace(cord_model.config, depth=depth))
    tracemalloc.start()
    assert segment_cord(image, model.predictor(), by_search).cropped_mask.any()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < times * image.data.nbytes


# With the shipped networks


@pytest.mark.parametrize(
    ("contrast", "region", "size_scale"), [("t1", "cervical", 1.0), ("t2", (150, 200), 1.0), ("t2s", "cervical", 0.7)]
)
def test_phantoms_of_every_contrast_and_size(segment, contrast, region, size_scale):
    """Of the neck and chest; those of the conus are below."""
    phantom = make_phantom(contrast=contrast, region=region, size_scale=size_scale, fov_mm=(60.0, 60.0), seed=5)
    assert dice_of(segment(phantom.image).mask.data, phantom.cord.data) > 0.88


@pytest.mark.parametrize(
    ("spacing_mm", "fov_mm"),
    [
        ((0.5, 0.5, 20.0), (60.0, 60.0)),  # two slices
        ((0.4, 0.9, 4.0), (60.0, 60.0)),
        ((3.5, 0.9, 0.9), (60.0, 60.0)),  # thick sagittal slices
        ((0.5, 0.5, 0.8), (60.0, 60.0)),
        ((1.0, 1.0, 10.0), (60.0, 60.0)),
        ((0.5, 0.5, 5.0), (20.0, 24.0)),  # less than either network's window
        ((0.5, 0.5, 5.0), (40.0, 160.0)),
    ],
)
def test_voxels_and_fields_of_view_of_every_size(segment, spacing_mm, fov_mm):
    phantom = make_phantom(region=(40, 70), spacing_mm=spacing_mm, fov_mm=fov_mm, seed=3)
    assert dice_of(segment(phantom.image).mask.data, phantom.cord.data) > 0.9


def test_a_large_field_of_view(segment, stored_as):
    """The cord is far from its middle. The same bytes twice, and in another order."""
    phantom = make_phantom(region=(40, 60), fov_mm=(160.0, 150.0), offset_mm=(35.0, -20.0), seed=3)
    mask = segment(phantom.image).mask
    assert dice_of(mask.data, phantom.cord.data) > 0.9
    assert segment(phantom.image).mask.data.tobytes() == mask.data.tobytes()
    np.testing.assert_array_equal(stored_as(segment(stored_as(phantom.image, "PIR")).mask, "LAS").data, mask.data)


def test_an_oblique_sagittal_acquisition(segment, stored_as):
    """Turned by 18 degrees about the left-right axis; the truth is resampled alike."""
    spacing_mm = (3.0, 0.8, 0.8)
    phantom = make_phantom(region=(30, 100), contrast="t2", spacing_mm=(1, 1, 1), fov_mm=(50, 84), seed=4)
    shape = tuple(round(side / step) for side, step in zip((46, 60, 50), spacing_mm, strict=True))
    axes = nib.eulerangles.euler2mat(x=np.deg2rad(18)) @ np.diag([-1, 1, 1]) @ np.diag(spacing_mm)
    center = nib.affines.apply_affine(phantom.image.affine, (np.array(phantom.image.shape) - 1) / 2)
    affine = nib.affines.from_matvec(axes, center - axes @ (np.array(shape) - 1) / 2)
    to_phantom = np.linalg.inv(phantom.image.affine) @ affine
    image, fraction = (
        Volume(ndimage.affine_transform(part.data.astype(np.float32), to_phantom, output_shape=shape, order=1), affine)
        for part in (phantom.image, phantom.cord)
    )
    mask = segment(stored_as(image, "PSR")).mask
    assert dice_of(stored_as(mask, "LAS").data, fraction.data > 0.5) > 0.88


@pytest.mark.parametrize("kind", ["noise", "air", "one bright voxel"])
def test_there_is_no_cord_in_noise(segment, kind):
    rng = np.random.default_rng(0)
    parts = {"noise": rng.normal(size=(100, 100, 6)), "air": np.hypot(*rng.normal(size=(2, 100, 100, 6)))}
    data = parts.get(kind, np.pad(np.ones((1, 1, 1)), 20))
    assert segment(Volume(data.astype(np.float32), np.diag([-0.5, 0.5, 4.0, 1.0]))).mask.volume_mm3 == 0


@pytest.mark.parametrize(("contrast", "seed"), [("t1", 0), ("t2", 2), ("t2s", 1)])
def test_there_is_no_cord_far_below_the_conus(segment, contrast, seed):
    phantom = make_phantom(region=(CONUS_TIP_MM + 30, CONUS_TIP_MM + 80), contrast=contrast, seed=seed)
    assert segment(phantom.image).mask.volume_mm3 == 0


def test_areas_in_sagittal_slices_of_4_mm(segment):
    """Cords two to four voxels wide: single areas are a tenth off, those of phantoms that no training drew agree on average."""
    errors = []
    for seed in range(6):
        common = {"contrast": "t2", "region": (30 + 45 * seed, 54 + 45 * seed), "noise": 0.04, "seed": 700_000 + seed}
        mask = segment(make_phantom(spacing_mm=(4.0, 0.8, 0.8), **common).image).mask
        true = make_phantom(spacing_mm=(0.4, 0.4, 0.8), fov_mm=(24.0, 24.0), **common).cord
        both = slices_of(mask) & slices_of(true)
        areas = [part.data[..., both].sum() * np.prod(part.spacing_mm[:2]) for part in (mask, true)]
        errors.append(areas[0] / areas[1] - 1)
    assert abs(np.mean(errors)) < 0.04
    assert max(np.abs(errors)) < 0.2


@pytest.mark.parametrize(
    ("contrast", "spacing_mm", "size_scale"),
    [
        ("t2", (0.7, 0.7, 3.0), 1.0),
        ("t1", (1.0, 1.0, 1.0), 1.0),
        ("t2s", (0.6, 0.6, 3.0), 0.65),
        ("t2", (3.5, 0.9, 0.9), 1.0),  # sagittal slices
    ],
)
def test_the_conus(segment, contrast, spacing_mm, size_scale):
    """From the enlargement to 50 mm below the tip: the mask ends with the cord, and nothing of the cauda equina is in it."""
    tip_mm = CONUS_TIP_MM * size_scale
    region, noise = (tip_mm - 70, tip_mm + 50), 0.06
    phantom = make_phantom(contrast=contrast, region=region, spacing_mm=spacing_mm, fov_mm=(60.0, 60.0), size_scale=size_scale,
                           noise=noise, seed=100)  # fmt: skip
    mask, cord = (to_rpi(part).data > 0 for part in (segment(phantom.image).mask, phantom.cord))
    assert dice_of(mask, cord) > 0.92
    tip, end = (int(np.flatnonzero(part.any(axis=(0, 1)))[0]) for part in (cord, mask))
    assert abs(tip - end) * spacing_mm[2] <= 5
