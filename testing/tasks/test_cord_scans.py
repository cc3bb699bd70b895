"""The cord on real scans, by the shipped networks: as they are, disturbed, and by weights that have not seen the subject."""

from pathlib import Path

import numpy as np
import pytest

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.resampling import resample_inplane
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.training.data.label_maps import CANAL
from testing.disturbances import DISTURBANCES, empty_ends, fading, noisy
from testing.outline import area_to_edge
from testing.overlap import dice_of
from testing.scans import conus_tips_mm, dev_scans, networks_of_folds
from testing.tasks.segmentations import assert_the_same_between_empty_ends, slices_of

ROOT = Path(__file__).resolve().parents[2]
FOLDS = ROOT / "testing" / "benchmarks" / "folds"


def dev_scan(name):
    (scan,) = dev_scans((name,))
    return scan


@pytest.mark.parametrize("name", ["gm-10062Ses1", "gm-10062Ses2", "gm-9418", "gm-9604", "gm-9669"])
def test_axial_scans(shared, segment, name):
    image, cord = dev_scan(name).volumes()
    mask = segment(image).mask
    labeled = cord.any(axis=(0, 1))  # 9604 is not labeled to its top
    assert dice_of(mask.data[..., labeled], cord[..., labeled]) > 0.88
    if name == "gm-9604":
        assert not slices_of(mask)[18:].any(), "the medulla is no cord, but for its lowest 12 mm"


@pytest.mark.parametrize(("name", "least"), [("gm-9604", 0.97), ("errsm21_acq-C2C5_T2w", 0.92), ("hcsc002_desc-mean_dwi", 0.95)])
def test_subjects_left_out_of_training(shared, name, least):
    """By weights of the cord that have not seen the subject: two for half of the subjects each."""
    scan = dev_scan(name)
    image, cord = scan.volumes()
    predictor, localizer = networks_of_folds(str(FOLDS / "cord-{fold}.weights.h5"), "centerline")(scan.fold)
    labeled = cord.any(axis=(0, 1))
    assert dice_of(segment_cord(image, predictor, localizer).mask.data[..., labeled], cord[..., labeled]) > least


@pytest.mark.parametrize("contrast", ["T1w", "T2w", "T2star"])
def test_one_subject_in_three_contrasts(shared, segment, contrast):
    """The outline lies on the edge of each image; the one mask that experts drew for all three lies inside it."""
    image = read_volume(dev_scan(f"unf01-{contrast}").image_path)
    assert 0.90 < area_to_edge(shared, image, segment(image).mask) < 1.04


@pytest.fixture(scope="module")
def undisturbed(shared, segment):
    """A scan in RPI, and where its cord is segmented."""
    image, _ = dev_scan("gm-9418").volumes()
    return image, segment(image).mask.data > 0


# The others are weaker ones of these, or are fading, which the long scan below is.
JUDGED = [
    *("signal lost over 24 mm", "lost over 24 mm, bright rim", "two of four slices lost", "padded -32768, planes"),
    *("padded 65535, columns", "padded -32768, slanted", "negative numbers as unsigned", "missing rows", "missing columns"),
    *("missing corners of a grid", "a cross of 300"),
    *("padded -32768, one slice", "padded 65535, one side", "cropped to 8 mm", "masked to 20 mm", "noise in air"),
    *("100 mm empty above", "200 mm of air all around", "0.8 as large", "0.5 as large"),
]


@pytest.mark.parametrize("name", JUDGED)
def test_surroundings_do_not_matter(segment, undisturbed, name):
    """Lost, padded, missing, cropped, masked, smaller: what is left of the cord is segmented as in the scan as it is.

    A bright rim shows the cord's surroundings, as a shadow: whether there is cord in its two slices is not judged.
    """
    image, whole = undisturbed
    disturbed, left = DISTURBANCES[name](image, whole)
    result = segment(disturbed)
    lost = np.flatnonzero(whole.any(axis=(0, 1)) & ~left.any(axis=(0, 1))[: whole.shape[2]])
    judged = np.delete(np.arange(left.shape[2]), lost[[0, -1]] if "rim" in name else [])
    assert dice_of(result.mask.data[..., judged], left[..., judged]) >= 0.965
    areas_mm2 = result.mask.data.sum(axis=(0, 1)) * np.prod(disturbed.spacing_mm[:2])
    np.testing.assert_allclose(result.confidence.area_mm2, areas_mm2, rtol=1e-5)
    assert bool(result.notes) == ("lost" in name or name == "0.5 as large"), "gaps are named, and other sizes of voxels"


@pytest.mark.parametrize(
    ("name", "below", "above", "value"), [("gm-9604", 7, 20, -32768), ("errsm21_acq-C2C5_T2w", 23, 40, 65535)]
)
def test_empty_slices_change_nothing_of_real_scans(segment, shared, name, below, above, value):
    """Of one with the medulla, whose upper end is in doubt, and of one of thin slices, which are averaged."""
    image, cord = dev_scan(name).volumes()
    disturbed, _ = empty_ends(below, above, value)(image, cord)
    assert_the_same_between_empty_ends(segment(disturbed), segment(image), below, above)


def test_the_dim_ends_of_a_long_scan_keep_their_cord(shared, segment):
    image = to_rpi(read_volume(shared / "data" / "dev" / "errsm" / "sub-errsm21" / "anat" / "sub-errsm21_T2w.nii.gz"))
    whole = segment(image).mask.data > 0
    assert dice_of(segment(fading(image, whole)[0]).mask.data, whole) >= 0.99


@pytest.mark.parametrize(("name", "noise"), [("spider118", 0.0), ("spider035", 0.0), ("spider035", 0.7)])
def test_clinical_lumbar_scans(shared, segment, name, noise):
    """From the scan's top without a gap, inside the canal, to the tip of the conus, also under noise."""
    scan = dev_scan(name)
    image, cord = scan.volumes()
    if noise:
        image, _ = noisy(noise)(image, cord)
    mask = segment(image).mask
    filled, distance_mm = np.flatnonzero(mask.data.any(axis=(0, 1))), mask.spacing_mm[2]
    assert (mask.shape[2] - 1 - filled[-1]) * distance_mm <= 5
    assert (np.diff(filled).max() - 1) * distance_mm <= 2
    assert (mask.data * (scan.spine() == CANAL)).sum() >= 0.97 * mask.data.sum()
    assert abs((mask.shape[2] - 1 - filled[0]) * distance_mm - conus_tips_mm()[name]) <= 8


@pytest.mark.parametrize("thick_mm", [3.0, 4.0])
@pytest.mark.parametrize("contrast", ["T1w", "T2w", "T2star"])
def test_thick_sagittal_slices(shared, segment, contrast, thick_mm):
    """Scans averaged from right to left, as most of the spine are acquired; the cord is three or four voxels wide."""
    scan = dev_scan(f"unf01-{contrast}")
    image, mask = to_rpi(read_volume(scan.image_path)), to_rpi(read_volume(scan.mask_path, kind="mask"))
    thick, cord = (resample_inplane(part, (thick_mm, image.spacing_mm[1])) for part in (image, mask))
    assert dice_of(segment(thick).mask.data, cord.data > 0.5 - 1e-4) > 0.88


def test_zeros_about_a_scan_change_nothing(segment, undisturbed):
    """Fifteen mm of cord are enough of a scan of fifteen, whatever it was padded with."""
    image, _ = undisturbed
    data = np.zeros_like(image.data)
    data[..., 6:11] = image.data[..., 6:11]
    slab = Volume(image.data[..., 6:11], image.affine)
    assert segment(slab).mask.data.any()
    np.testing.assert_array_equal(segment(image.with_data(data)).mask.data[..., 6:11], segment(slab).mask.data)


def test_a_whole_cord_in_one_go(shared, segment):
    """From the brain, which the top 20 slices show, to the sacrum: the lowest 12 lie below the vertebra L1."""
    folder = shared / "data" / "dev" / "pam50_small"
    mask = segment(read_volume(folder / "PAM50_small_t2.nii.gz")).mask
    cord = to_rpi(read_volume(folder / "PAM50_small_cord.nii.gz", kind="mask")).data > 0.5
    labeled = cord.any(axis=(0, 1))
    assert dice_of(to_rpi(mask).data[..., labeled], cord[..., labeled]) > 0.88
    assert slices_of(mask)[:12].sum() == slices_of(mask)[-20:].sum() == 0
    levels = to_rpi(read_volume(folder / "PAM50_small_levels.nii.gz", kind="mask")).data > 0
    tip = int(np.flatnonzero(levels.any(axis=(0, 1)))[0])  # the mask is cut off above the conus, the map of levels is not
    assert abs(int(np.flatnonzero(slices_of(mask))[0]) - tip) * mask.spacing_mm[2] <= 5
