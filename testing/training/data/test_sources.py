"""Labeled scans: matching masks to scans, several raters, and cutting slices."""

from pathlib import Path

import numpy as np
import pytest

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.centers import centers_from_mask
from spineseg_cli.core.localization.search import CordPath
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.generator import synthesize
from spineseg_cli.training.config_data import GENERATORS, LabeledScans, LabelMaps
from spineseg_cli.training.data.datasets import load_labeled_scans
from spineseg_cli.training.data.sources import (
    SLICE_GENERATORS,
    STACK_GENERATORS,
    check_left_out,
    find_labeled_scans,
    is_of_any,
    pair_masks,
)
from testing.training.runs import BOTH, cut, load_maps

SOURCE = LabeledScans(image="*_T2star.nii.gz", cord="*_seg.nii.gz", gray_matter="*_rater-1.nii.gz")


def load(folder, source, leave_out=(), subjects=None, raters="each"):
    """Return the slices of each scan of a source."""
    data = {"label_maps": [], "labeled_scans": [source.model_dump()], "scan_fraction": 1, "raters": raters}
    return load_labeled_scans(BOTH.with_changes({"data": data}), folder, leave_out, subjects)


@pytest.fixture(scope="module")
def folder(phantom, tmp_path_factory) -> Path:
    """Two scans: the cord, and the gray matter by two raters, the second of whom sees the whole cord."""
    folder = tmp_path_factory.mktemp("raters")
    for subject in ("sub-1", "sub-2"):
        write_volume(folder / f"{subject}_T2star.nii.gz", phantom.image)
        write_volume(folder / f"{subject}_T2star_seg.nii.gz", phantom.cord, np.uint8)
        write_volume(folder / f"{subject}_T2star_rater-1.nii.gz", phantom.gray_matter, np.uint8)
        write_volume(folder / f"{subject}_T2star_rater-2.nii.gz", phantom.cord, np.uint8)
    return folder


def test_masks_find_their_scan_by_name():
    images = [Path(name) for name in ("sub-1_T2star.nii.gz", "sub-1_T2star_run-2.nii.gz", "sub-10_T2star.nii.gz")]
    masks = [Path(f"labels/{image.name[:-7]}_rater{rater}.nii") for rater in (1, 2) for image in images[::-1]]
    paired = pair_masks(images, masks, "gray-matter")
    assert [[mask.name for mask in own] for own in paired] == [
        [f"{image.name[:-7]}_rater{rater}.nii" for rater in (1, 2)] for image in images
    ]
    with pytest.raises(InputError, match=r"expected a gray-matter mask for sub-10_T2star.nii.gz; no file"):
        pair_masks(images, [masks[1], masks[2]], "gray-matter")
    with pytest.raises(InputError, match="cannot tell which scan the cord mask other.nii belongs to"):
        pair_masks(images, [Path("other.nii")], "cord")


@pytest.mark.parametrize("gray", ["*_rater-*.nii.gz", ["*_rater-1.nii.gz", "*_rater-2.nii.gz"]])
def test_raters_each_or_mean(folder, gray):
    source = LabeledScans(image="*_T2star.nii.gz", cord="*_seg.nii.gz", gray_matter=gray)
    each, mean = (load(folder, source, raters=raters) for raters in ("each", "mean"))
    assert len(each) == len(mean) == 2
    first, second = each[0][0].structure
    assert 0 < first.sum() < second.sum()
    np.testing.assert_allclose(second, each[0][0].cord, atol=1e-6)
    np.testing.assert_allclose(mean[0][0].structure[0], (first + second) / 2, atol=1e-6)
    assert len(mean[0][0].structure) == 1


def test_whole_subjects_are_left_out_or_kept(folder):
    assert len(load(folder, SOURCE, leave_out=["sub-2"])) == 1
    check_left_out([SOURCE], folder, ["sub-2"])
    with pytest.raises(InputError, match="no scan under .* is of sub-7; give whole names"):
        check_left_out([SOURCE], folder, ["sub-2", "sub-7"])
    assert len(load(folder, SOURCE, subjects=["sub-2"])) == 1
    assert load(folder, SOURCE, leave_out=["sub-2"], subjects=["sub-2"]) == []


def test_scans_are_found_with_their_masks(folder):
    [(scan, source)] = find_labeled_scans([SOURCE], folder, subjects=["sub-2", "sub-3"])
    assert (scan.subject, scan.image.name, source) == ("sub-2", "sub-2_T2star.nii.gz", SOURCE)
    assert {key: [path.name for path in paths] for key, paths in scan.masks.items()} == {
        "gray_matter": ["sub-2_T2star_rater-1.nii.gz"],
        "cord": ["sub-2_T2star_seg.nii.gz"],
    }


@pytest.mark.parametrize(
    ("path", "subject", "same"),
    [
        ("sub-1/anat/sub-1_T2w.nii.gz", "sub-1", True),
        ("sub-1/anat/sub-1_T2w.nii.gz", "1", True),
        ("sub-10/anat/sub-10_T2w.nii.gz", "sub-1", False),
        ("sub-10/anat/sub-10_run-1_T2w.nii.gz", "1", False),
        ("dev/sub-7/sub-7_run-1_T2w.nii.gz", "1", False),
        ("labels/sub-12Ses2_seg.nii.gz", "sub-12", True),
        ("labels/sub-123_seg.nii.gz", "sub-12*", True),
        ("targets/PAM50_small_t2_edge.nii.gz", "PAM50_small", True),
        ("targets/PAM50_small_t2_edge.nii.gz", "small", False),
    ],
)
def test_the_whole_name_of_a_subject_counts(path, subject, same):
    assert is_of_any(Path(path), [subject]) == same


def test_gray_matter_alone_is_enough_and_so_is_the_cord(folder):
    image, gray, cord = (folder / f"sub-1_T2star{name}.nii.gz" for name in ("", "_rater-1", "_seg"))
    without_cord, without_gray = cut(image, None, (gray,)), cut(image, cord)
    assert without_cord[0].cord is None
    assert without_gray[0].structure == ()
    assert len(without_cord) == len(without_gray) == 3


def test_a_stack_is_standardized_as_a_whole(folder):
    image, gray, cord = (folder / f"sub-1_T2star{name}.nii.gz" for name in ("", "_rater-1", "_seg"))
    as_they_are, standardized = (cut(image, cord, (gray,), changes={"inference.per_slice": flag}) for flag in (True, False))
    images = np.stack([part.image for part in standardized])
    originals = np.stack([part.image for part in as_they_are])
    slope, offset = np.polyfit(originals[0].ravel(), images[0].ravel(), 1)
    np.testing.assert_allclose(images, slope * originals + offset, atol=1e-3)  # one scale for all slices


def test_so_many_slices_at_most(folder):
    sources = [SOURCE.model_copy(update={"max_slices": count}) for count in (None, 2, 9)]
    every, two, many = (load(folder, source)[0] for source in sources)
    assert (len(two), len(many)) == (2, len(every))
    np.testing.assert_array_equal(two[1].image, every[-1].image)


def test_what_is_not_a_cord_is_painted_and_not_labeled(tmp_path):
    [slices] = load_maps([LabelMaps(brainstem=3)], tmp_path)
    for seed, labels in enumerate(slices):
        image, target = synthesize(labels, 96, np.random.default_rng(seed))
        assert labels.cord.max() == 1
        assert image.std() > 0
        assert target.max() == 0


def test_configurations_may_name_every_source_that_is_generated():
    assert (*SLICE_GENERATORS, *STACK_GENERATORS) == GENERATORS


def test_a_source_is_drawn_as_often_as_its_weight(folder):
    sources = [LabelMaps(cord="sub-1*_seg.nii.gz", weight=3), LabelMaps(cord="sub-2*_seg.nii.gz")]
    heavy, *others = load_maps(sources, folder)
    assert [other is heavy for other in others] == [True, True, False]


@pytest.mark.parametrize("spacing_mm", [0.5, 1.0])
def test_another_grid_shows_the_same_cord(folder, spacing_mm):
    image, cord = (folder / f"sub-1_T2star{name}.nii.gz" for name in ("", "_seg"))
    grids = [{"inference.spacing_mm": grid, "data.source_fov_mm": 40.0} for grid in (0.25, spacing_mm)]
    fine, coarse = (cut(image, cord, changes=grid) for grid in grids)
    assert coarse[0].cord.shape == (40 / spacing_mm,) * 2
    assert coarse[0].cord.sum() * spacing_mm**2 == pytest.approx(fine[0].cord.sum() * 0.25**2, rel=0.05)


def test_thin_slices_are_averaged_where_only_the_cord_is_labeled(phantom, tmp_path):
    """As `seg_cord` reads them; gray matter is looked for in the slices as they are."""
    rng, thin = np.random.default_rng(0), np.diag([-0.5, 0.5, 1.0, 1.0])
    noisy = phantom.image.data + 40 * rng.standard_normal(phantom.image.shape)
    for name, data in (("", noisy), ("_seg", phantom.cord.data), ("_rater-1", phantom.gray_matter.data)):
        write_volume(tmp_path / f"sub-1_T2star{name}.nii.gz", Volume(data, thin), np.float32)
    cord_source = LabeledScans(image=SOURCE.image, cord=SOURCE.cord)
    data = {"label_maps": [], "labeled_scans": [cord_source.model_dump()], "scan_fraction": 1}
    cord = BOTH.with_changes({"data": data, "outputs": ["cord"], "network.classes": 1})
    read_alone, averaged = load(tmp_path, SOURCE)[0], load_labeled_scans(cord, tmp_path)[0]
    roughness = [np.mean([np.diff(part.image).std() for part in scan]) for scan in (read_alone, averaged)]
    assert roughness[1] < 0.8 * roughness[0]


def test_complete_labels_make_examples_of_no_cord(folder, phantom, tmp_path):
    half = phantom.cord.data.copy()
    half[:, :, 1:] = 0
    write_volume(tmp_path / "half_seg.nii.gz", phantom.cord.with_data(half), np.uint8)
    image = folder / "sub-1_T2star.nii.gz"
    for coverage, expected in (
        (None, [True]),
        ("below", [True]),
        ("above", [False, False, True]),
        ("both", [False, False, True]),
    ):
        slices = cut(image, tmp_path / "half_seg.nii.gz", label_coverage=coverage)
        assert [bool(part.cord.any()) for part in slices] == expected


def test_slices_lie_where_the_cord_was_found(folder, monkeypatch):
    """A localizer that is 3 mm off moves image and labels together; the center of the labels is not used."""
    files = folder / "sub-1_T2star.nii.gz", folder / "sub-1_T2star_seg.nii.gz"
    grid = {"inference.spacing_mm": 0.5, "data.source_fov_mm": 40.0}
    exact = cut(*files, changes=grid)
    scan = to_rpi(read_volume(files[0]))
    truth = centers_from_mask(to_rpi(read_volume(files[1], kind="mask")))[0]
    off = truth + [3.0 / scan.spacing_mm[0], 0]
    monkeypatch.setattr(
        "spineseg_cli.training.data.labeled_slices.search_cord", lambda scan, search: CordPath(off, np.ones(len(off)))
    )
    found = cut(*files, search=object(), changes=grid)
    for one, other in zip(exact, found, strict=True):
        moved = one.moved((3.0, 0))
        np.testing.assert_allclose(other.image[8:-8, 8:-8], moved.image[8:-8, 8:-8], atol=1e-3)
        np.testing.assert_allclose(other.cord, moved.cord, atol=1e-5)


def test_maps_of_the_cord_alone(folder):
    [[first, *_]] = load_maps([LabelMaps(cord="sub-1*_seg.nii.gz")], folder, **{"inference.spacing_mm": 0.5})
    assert first.cord.shape == (100, 100)
    assert first.spacing_mm == 0.5
    assert not first.gray.any()
