"""The gray-matter pipeline: its promises with a stand-in for the network, and its results with networks."""

import tracemalloc
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.config import PUBLISHED_GRAY_MATTER, InferenceConfig
from spineseg_cli.core.localization.localizer import ImageCenterLocalizer, MaskLocalizer, NetworkLocalizer
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.tasks.gray_matter import AVERAGED_NOTE, INVISIBLE_NOTE, LONG_SCAN, SAMPLED_SLICES, segment_gray_matter
from spineseg_cli.weights.files import read_model
from spineseg_cli.weights.find import find_model
from testing.disturbances import empty_ends, noisy
from testing.overlap import dice_of

CENTER = ImageCenterLocalizer()
OBLIQUE = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.2, -0.3, 0.4) @ np.diag([-0.5, 0.6, 4.0]), [12.5, -7, 31])


def noise(shape, affine=OBLIQUE, seed=0):
    return Volume(np.random.default_rng(seed).gamma(2, 50, shape).astype(np.float32), affine)


def centerline_of(image, x, y):
    data = np.zeros(image.shape, np.float32)
    data[x, y] = 1
    return image.with_data(data)


def followed(line):
    """The localizer of a mask; without one, the image's center."""
    return CENTER if line is None else MaskLocalizer(mask=line)


def by_networks(cord=True):
    """The search of the commands, with or without a closer look."""
    return NetworkLocalizer(
        search=find_model("centerline").predictor("cpu"), cord=find_model("cord").predictor("cpu") if cord else None
    )


def segment(image, model, runtime, localizer=CENTER, **options):
    """Segment with a runtime that is loaded already."""
    return segment_gray_matter(image, replace(model.predictor(), open_runtime=lambda: runtime), localizer, **options)


@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("guided", [False, True])
def test_every_storage_order_gives_the_same_physical_masks(orientations, stored_as, stub, stub_model, tta, guided):
    image = noise((37, 30, 4))
    guide = centerline_of(image, 11, 14) if guided else None
    expected = segment(image, stub_model, stub, followed(guide), tta=tta)
    assert 0 < expected.mask.data.mean() < 0.5, "the stand-in must tell voxels apart"
    turns = orientations if not tta else orientations[::7]
    for i, codes in enumerate(turns):
        line = stored_as(guide, orientations[-i]) if guided else None  # the centerline in another order than the image
        result = segment(stored_as(image, codes), stub_model, stub, followed(line), tta=tta)
        for name in ("mask", "cord", "probability", "white_matter"):
            back = stored_as(getattr(result, name), "".join(nib.aff2axcodes(image.affine)))
            np.testing.assert_array_equal(back.data, getattr(expected, name).data, err_msg=f"{name} {codes}")
            assert getattr(result, name).shape == stored_as(image, codes).shape


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize(("ends", "value", "codes"), [((0, 7), 0, "LAS"), ((1, 0), -32768, "SPL"), ((23, 1), 65535, "ARI")])
def test_empty_slices_at_the_ends_change_nothing(stub, stub_model, stored_as, guided, ends, value, codes):
    """A cord mask that was given stays whole, also where it lies in them."""
    image = noise((37, 30, 4), np.diag([-0.5, 0.75, 4.0, 1.0]))
    padded, _ = empty_ends(*ends, value)(image, np.zeros(image.shape, bool))
    pad = ((0, 0), (0, 0), ends)
    cord = centerline_of(image, slice(6, 20), slice(8, 22)) if guided else None
    long = padded.with_data(np.pad(cord.data, pad, mode="edge")) if guided else None
    expected = segment(image, stub_model, stub, followed(cord), cord=cord)
    result = segment(stored_as(padded, codes), stub_model, stub, followed(long), cord=long)
    for name in ("mask", "probability", *([] if guided else ["cord", "white_matter"])):
        back, data = stored_as(getattr(result, name), "LAS").data, np.pad(getattr(expected, name).data, pad)
        np.testing.assert_array_equal(back, data, err_msg=name)
    if guided:
        np.testing.assert_array_equal(stored_as(result.cord, "LAS").data, long.data)
    np.testing.assert_array_equal(result.confidence.slices, np.pad(expected.confidence.slices, ends, constant_values=1))


def test_a_cord_mask_in_empty_slices_alone_gives_an_empty_mask(stub, stub_model):
    image, beyond = empty_ends(0, 2)(noise((37, 30, 4)), np.zeros((37, 30, 4), bool))
    beyond[11:15, 12:16, -1] = True
    cord = image.with_data(beyond.astype(np.uint8))
    result = segment(image, replace(stub_model, outputs=("gray_matter",)), stub, MaskLocalizer(mask=cord), cord=cord)
    assert not result.mask.data.any()
    np.testing.assert_array_equal(result.white_matter.data, cord.data)


def test_the_last_digits_of_a_header_do_not_matter(stub, stub_model, tmp_path):
    """403 voxels of 0.125 mm are 201.5 samples: a matrix and a quaternion round an oblique grid to either side of that."""
    affine = nib.affines.from_matvec(OBLIQUE[:3, :3] / [0.5, 0.6, 4] * [0.125, 0.5, 4])
    data = noise((403, 40, 2)).data
    model = replace(stub_model, outputs=("gray_matter",))  # no cord to search for: the window is the image's center
    masks = []
    for code in ("qform", "sform"):
        image = nib.Nifti1Image(data, None)
        getattr(image, f"set_{code}")(affine, code=1)
        nib.save(image, tmp_path / "image.nii")
        masks.append(segment(read_volume(tmp_path / "image.nii"), model, stub).mask.data)
    assert masks[0].any()
    np.testing.assert_array_equal(*masks)


@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(1, 4)),
    st.tuples(st.floats(0.05, 3), st.floats(0.05, 3), st.floats(0.5, 10)),
    st.sampled_from([None, InferenceConfig(window=16), PUBLISHED_GRAY_MATTER]),
)
def test_any_shape_and_voxel_size(stub, stub_model, shape, spacing_mm, steps):
    """Also a single voxel, and images smaller than a window: masks on the image's grid, made of 0 and 1."""
    model = replace(stub_model, config=replace(steps or stub_model.config, window=20))
    image = noise(shape, np.diag([-spacing_mm[0], *spacing_mm[1:], 1.0]))
    result = segment(image, model, stub)
    assert result.mask.shape == result.probability.shape == result.cord.shape == shape
    assert (result.mask.data.dtype, result.probability.data.dtype) == (np.uint8, np.float32)
    assert set(np.unique(result.mask.data)) <= {0, 1}
    assert 0 <= result.probability.data.min() <= result.probability.data.max() <= 1
    assert np.isfinite(result.probability.data).all()


def test_very_thin_slices_are_predicted_together(stub, stub_model):
    """Five slices of 0.1 mm are one to the network; of sixteen, one is left alone."""
    image = noise((60, 60, 16), np.diag([-0.5, 0.5, 0.1, 1.0]))
    segment(image, stub_model, stub)
    (windows, *_), stub.windows = stub.windows, []  # the first call; the confidence may ask for single slices again
    assert len(windows) == 4
    together = np.stack([image.data[:, :, k : k + 5].mean(axis=2) for k in (0, 5, 10, 15)], axis=2)
    segment(Volume(together, np.diag([-0.5, 0.5, 0.5, 1.0])), stub_model, stub)
    np.testing.assert_allclose(windows, stub.windows[0], atol=1e-4)


def test_the_network_sees_standardized_windows_at_its_spacing(stub, stub_model):
    image = noise((60, 60, 3), np.diag([-0.5, 0.5, 4.0, 1.0]))
    segment(image, replace(stub_model, outputs=("gray_matter",)), stub)
    windows, _ = stub.windows  # unsure of it, the network sees it twice
    assert windows.shape == (3, 64, 64)
    np.testing.assert_allclose(windows.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(windows.std(axis=(1, 2)), 1, atol=1e-5)
    inner = image.data[14:46, 14:46]
    assert np.corrcoef(windows[0, ::2, ::2].ravel(), inner[..., 0].ravel())[0, 1] > 0.8, (
        "right to left, then posterior to anterior"
    )


@pytest.mark.parametrize(("published", "landmarks", "calls"), [(False, (), 2), (True, (), 1), (False, tuple(range(11)), 1)])
def test_what_the_network_is_unsure_of_is_averaged_with_neighbors(stub, stub_model, published, landmarks, calls):
    """The slices of a scan in noise, each like the others, come nearer to each other. Published networks see each once."""
    image = noise((60, 60, 5), np.diag([-0.5, 0.5, 3.0, 1.0]))
    model = replace(stub_model, outputs=("gray_matter",), config=replace(stub_model.config, landmarks=landmarks))
    predictor = replace(model.predictor(), open_runtime=lambda: stub, published=published)
    segment_gray_matter(image, predictor, CENTER)
    assert len(stub.windows) == calls
    if calls == 2:
        unlike = [np.std(np.diff(windows, axis=0)) for windows in stub.windows]
        assert unlike[1] < 0.5 * unlike[0]


def test_a_few_slices_of_a_long_scan_show_whether_the_network_is_sure(stub, stub_model):
    """They are seen in both ways; all slices are seen only once."""
    image = noise((40, 40, 120), np.diag([-0.5, 0.5, 3.0, 1.0]))
    segment(image, replace(stub_model, outputs=("gray_matter",)), stub)
    sampled, seen = LONG_SCAN // SAMPLED_SLICES, sum(map(len, stub.windows))
    assert 120 + 2 * 15 <= seen <= 120 + 2 * 120 // sampled


def test_intensities_may_be_in_any_unit(stub, stub_model):
    image = noise((40, 40, 2))
    masks = [segment(image.with_data(image.data * gain), stub_model, stub).mask.data for gain in (1, 2**-20, 2**20)]
    assert masks[0].any()
    np.testing.assert_array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(masks[0], masks[2])


def test_windows_follow_the_centerline_and_stop_where_it_stops(stub, stub_model):
    image = noise((200, 60, 6), np.diag([-0.5, 0.5, 4.0, 1.0]))
    line = np.zeros(image.shape, np.float32)
    line[160, 20, 1:4] = 1
    result = segment(image, stub_model, stub, followed(image.with_data(line)))
    assert result.mask.data.any(axis=(0, 1)).tolist() == [False, True, True, True, False, False]
    x, y, _ = np.nonzero(result.mask.data)
    assert 144 <= x.min() <= x.max() <= 176
    assert y.max() <= 36
    assert result.crop_box_vx == [[144, 177], [4, 37], [1, 4]]


def test_without_a_cord_there_is_no_gray_matter(stub, stub_model, by_search, bright_is_cord):
    """Whatever the network would see: below the conus, say."""
    image = noise((60, 60, 10), np.diag([-0.5, 0.5, 5.0, 1.0]))
    assert segment(image, stub_model, stub).mask.data.any()
    stub.windows.clear()
    for outputs in (("gray_matter", "cord"), ("gray_matter",)):
        found = segment(image, replace(stub_model, outputs=outputs), stub, by_search)
        assert not found.mask.data.any()
        assert not found.probability.data.any()
        assert (found.cord is None) == ("cord" not in outputs)
        assert (found.crop_box_vx, found.runtime, stub.windows) == ([], "none", [])


class UnreliableAbove:
    """A network's stand-in: two bars of gray matter in a cord; above the eighth slice one, which lies aslant."""

    def predict(self, windows):
        x, y = np.meshgrid(*(np.arange(n) - n // 2 for n in windows.shape[1:]), indexing="ij")
        bars = np.abs(np.abs(x) - 7) + 0 * y < 3
        aslant = np.abs(x + y - 4) < 6
        gray = np.stack([(bars if k < 8 else aslant) & (np.abs(y) < 10) for k in range(len(windows))])
        cord = np.broadcast_to(np.hypot(x, y) < 20, gray.shape)
        return np.stack([gray & cord, cord], axis=-1).astype(np.float32)


def test_torn_slices_at_the_top_have_no_gray_matter_unless_a_centerline_says_where_the_cord_is(stub_model):
    image = noise((60, 60, 10), np.diag([-0.5, 0.5, 5.0, 1.0]))
    guide = centerline_of(image, 30, 30)
    for centerline, slices in ((None, 8), (guide, 10)):
        result = segment(image, stub_model, UnreliableAbove(), followed(centerline))
        filled = [part.data.any(axis=(0, 1)).sum() for part in (result.mask, result.probability, result.cord)]
        assert filled == [slices, slices, 10]


def test_thresholds_cord_and_white_matter(stub, stub_model):
    image = noise((50, 50, 3))
    volumes = []
    for threshold in (0.0, 0.2, 0.5, 0.8, 0.99):
        result = segment(image, stub_model, stub, threshold=threshold)
        volumes.append(int(result.mask.data.sum()))
        np.testing.assert_array_equal(result.mask.data, result.probability.data > threshold)
        np.testing.assert_array_equal(result.cropped_soft(threshold).whole().data > 0, result.mask.data)
        np.testing.assert_array_equal(result.white_matter.data, result.cord.data & ~result.mask.data & 1)
    assert sorted(set(volumes), reverse=True) == volumes, "each threshold gives less"

    half = np.zeros(image.shape, np.float32)
    half[:25] = 1
    inside = segment(image, stub_model, stub, followed(centerline_of(image, 25, 25)), cord=image.with_data(half))
    np.testing.assert_array_equal(inside.cord.data, half)
    assert inside.mask.data[:25].any()
    assert not inside.mask.data[25:].any()
    assert not inside.probability.data[25:].any(), "soft results end where the cord ends, too"


@pytest.mark.parametrize("binarize_first", [False, True])
def test_where_slabs_begin_does_not_show(stub, stub_model, monkeypatch, binarize_first):
    image = noise((40, 44, 33), np.diag([-0.5, 0.5, 1.0, 1.0]))
    config = replace(stub_model.config, tissue_evidence_weight=0.5, binarize_first=binarize_first)
    model, whole, parts = replace(stub_model, config=config), [], []
    for slices, results in ((64, whole), (5, parts)):
        monkeypatch.setattr("spineseg_cli.core.image.slabs.SLICES", slices)
        for cord in (None, image.with_data((image.data > 0).astype(np.uint8))):
            result = segment(image, model, stub, cord=cord)
            results += [result.mask.data, result.probability.data, result.white_matter.data, result.confidence.slices]
    assert whole[0].any()
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_memory_follows_the_image_not_the_refined_grid(stub, stub_model):
    """At 0.25 mm this image would take 16 times its size; the pipeline takes less than twice."""
    image = noise((512, 512, 30), np.diag([-1.0, 1.0, 3.0, 1.0]))
    segment(noise((20, 20, 2)), stub_model, stub)  # imports do not count
    tracemalloc.start()
    segment(image, stub_model, stub)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * image.data.nbytes


# With networks


@pytest.fixture(scope="module")
def shipped():
    model = find_model("gm")
    return model, model.open_runtime("cpu")


def test_the_shipped_model_finds_the_gray_matter_of_the_phantom(phantom, shipped, stored_as):
    model, runtime = shipped
    expected = segment(phantom.image, model, runtime)
    assert dice_of(expected.mask.data, phantom.gray_matter.data) > 0.907
    assert dice_of(expected.cord.data, phantom.cord.data) > 0.949
    for codes in ("PIR", "RSA"):
        turned = segment(stored_as(phantom.image, codes), model, runtime)
        np.testing.assert_array_equal(stored_as(turned.mask, "LAS").data, expected.mask.data)


SCANS = ["sub-10062Ses1", "sub-10062Ses2", "sub-9418", "sub-9669"]


def test_the_shipped_model_finds_the_cord_in_a_large_field_of_view(shipped):
    model, runtime = shipped
    offset_mm = (25.0, -10.0)
    phantom = make_phantom(region=(40, 50), spacing_mm=(0.5, 0.5, 5.0), fov_mm=(100.0, 90.0), offset_mm=offset_mm, seed=3)
    result = segment(phantom.image, model, runtime, by_networks(cord=False))
    assert dice_of(result.mask.data, phantom.gray_matter.data) > 0.885


def test_the_shipped_model_in_noise(shipped):
    """In single slices the Dice coefficient is 0.76; a note says that they were averaged, unless nothing can be seen."""
    model, runtime = shipped
    phantom = make_phantom(region=(20, 60), spacing_mm=(0.5, 0.5, 3.0), fov_mm=(100.0, 90.0), seed=1)
    image, _ = noisy(0.6)(phantom.image, phantom.cord.data > 0)
    alike, inside = phantom.image.data.copy(), ndimage.binary_erosion(phantom.cord.data > 0, np.ones((3, 3, 1)))
    alike[inside] = np.median(alike[inside]) * np.random.default_rng(0).normal(1, 0.05, inside.sum())
    scans = phantom.image, image, image.with_data(alike)
    clear, hidden, invisible = (segment(scan, model, runtime, by_networks()) for scan in scans)
    assert dice_of(hidden.mask.data, phantom.gray_matter.data) > 0.82
    assert (clear.notes, hidden.notes, invisible.notes) == ((), (AVERAGED_NOTE,), (INVISIBLE_NOTE,))


def test_the_shipped_model_on_a_real_scan_and_on_its_negative(shared, shipped):
    """This scan reaches from C4 into the brain; the experts labeled its cord up to slice 13."""
    model, runtime = shipped
    image = scan_of(shared, "sub-9604")
    labels = shared / "data" / "dev" / "gm_challenge" / "derivatives" / "labels" / "sub-9604" / "anat"
    gray = read_volume(labels / "sub-9604_run-1_T2starw_gmseg-manual.nii.gz", kind="mask").data[..., :14] > 0
    localizer = by_networks(cord=False)
    positive, negative = (
        segment(scan, model, runtime, localizer) for scan in (image, image.with_data(image.data.max() - image.data))
    )
    found = [dice_of(result.mask.data[..., :14], gray) for result in (positive, negative)]
    assert found[0] > 0.85
    assert found[1] > found[0] - 0.05
    assert not positive.mask.data[..., 17:].any(), "no gray matter in the medulla"
    assert (positive.mask.data <= positive.cord.data).all()


@pytest.fixture(scope="module")
def published(shared):
    """A function that loads published weights once."""
    loaded = {}

    def load(kind):
        if kind not in loaded:
            model = read_model(shared / "peers" / "sct_gm" / f"{kind}_model.hdf5")
            loaded[kind] = model, model.open_runtime("cpu")
        return loaded[kind]

    return load


def scan_of(shared, name):
    return read_volume(shared / "data" / "dev" / "gm_challenge" / name / "anat" / f"{name}_run-1_T2starw.nii.gz")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("challenge", "sub-9669"),
        *(pytest.param("challenge", name, marks=pytest.mark.slow) for name in SCANS[:3]),
        *(pytest.param("large", name, marks=pytest.mark.slow) for name in SCANS),
    ],
)
def test_published_weights_give_the_published_masks(shared, published, kind, name):
    model, runtime = published(kind)
    golden = read_volume(shared / "peers" / "golden" / f"{name}_run-1_T2starw_sct-gm-{kind}.nii.gz", kind="mask")
    assert dice_of(segment(scan_of(shared, name), model, runtime).mask.data, golden.data) >= 0.98


def test_published_weights_on_a_scan_stored_in_another_order(shared, published, stored_as):
    """The original command does not turn its input, and finds nothing in this scan."""
    model, runtime = published("challenge")
    whole = scan_of(shared, "sub-9604")
    image = Volume(whole.data[..., 2:4], whole.affine)
    mask = segment(image, model, runtime).mask
    assert mask.data.any()
    turned = segment(stored_as(image, "SAL"), model, runtime).mask
    np.testing.assert_array_equal(stored_as(turned, "".join(nib.aff2axcodes(image.affine))).data, mask.data)
