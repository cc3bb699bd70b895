"""Label slices from scans whose canal, vertebrae and discs are labeled."""

import numpy as np
import pytest

from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.synthesis.scanner import Tissue
from spineseg_cli.training.config_data import LabelMaps
from spineseg_cli.training.data.datasets import load_labeled_scans
from spineseg_cli.training.data.label_maps import CANAL, DISC, VERTEBRA, spine_slices, widened
from testing.training.runs import CONFIG, cut, load_maps


@pytest.fixture(scope="module")
def spine(tmp_path_factory):
    """A narrow slab, 14 mm wide: bright canal, in its upper half a dark cord, below two dark roots, a vertebra in front."""
    shape = (14, 60, 20)
    x, y, z = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    canal = np.hypot(x - 7, y - 25) < 6
    cord = (np.hypot(x - 7, y - 25) < 3) & (z >= 10)
    roots = np.isin(x, (4, 10)) & (y == 24) & (z < 10)
    labels = np.where(canal, CANAL, np.where((y > 34) & (z % 5 < 4), VERTEBRA, np.where(y > 34, DISC, 0)))
    image = np.where(canal, 200.0, 40.0 + y)
    image[cord | roots] = 60
    folder, affine = tmp_path_factory.mktemp("spine"), np.diag([-1.0, 1, 3, 1])
    paths = []
    for name, data, kind in (("image", image, np.float32), ("cord", cord, np.uint8), ("spine", labels, np.uint8)):
        paths.append(folder / f"sub-1_{name}.nii.gz")
        write_volume(paths[-1], Volume(data.astype(kind), affine), kind)
    return paths


def test_every_tissue_is_where_the_labels_and_the_image_have_it(spine):
    slices = spine_slices(*spine, step=1, spacing_mm=1.0, side_mm=60.0)
    assert len(slices) == 20
    below, above = slices[2], slices[15]
    assert not below.cord.any()
    assert above.cord.sum() == pytest.approx(25, abs=5)
    assert (above.canal >= above.cord).all()
    assert (below.surroundings == Tissue.ROOT).sum() == 2
    assert not (above.surroundings[above.canal == 0] == Tissue.CSF).any()
    inside = below.surroundings[23:37]
    assert {Tissue.MARROW, Tissue.CSF, Tissue.MUSCLE} <= set(np.unique(inside))
    assert (slices[4].surroundings == Tissue.DISC).any()


def test_slices_follow_the_canal_below_the_cord_and_are_no_more_than_those_with_it(spine):
    image, cord, labels = spine
    changes = {"inference.spacing_mm": 1.0, "data.source_fov_mm": 40.0}
    found = cut(image, cord, changes=changes, label_coverage="below", spine=labels)
    with_cord = [part.cord.any() for part in found]
    assert sum(with_cord) == len(found) - sum(with_cord) == 10
    assert len(cut(image, cord, changes=changes, trim_slices=3)) == 4


def test_every_other_slice_is_widened():
    stack, inside = np.zeros((4, 16, 16), np.float32), np.zeros((4, 16, 16), bool)
    stack[:, 6:10], inside[:, 6:10] = 5.0, True
    wide, counted = widened(stack, inside)
    np.testing.assert_array_equal(wide[::2], 5)
    np.testing.assert_array_equal(wide[1::2], stack[1::2])
    assert counted.all(axis=(1, 2)).tolist() == [True, False, True, False]


def test_configurations_name_them(spine):
    folder = spine[0].parent
    files = {"image": "*_image.nii.gz", "cord": "*_cord.nii.gz", "spine": "*_spine.nii.gz"}
    grid = {"inference.spacing_mm": 1.0, "data.source_fov_mm": 60.0}
    (maps,) = load_maps([LabelMaps(**files, step=4)], folder, **grid)
    assert len(maps) == 5
    data = {"label_maps": [], "labeled_scans": [{**files, "label_coverage": "below"}], "scan_fraction": 1, "source_fov_mm": 40.0}
    config = CONFIG.with_changes({"data": data, "inference.spacing_mm": 1.0, "sampling.crop_sizes": [32]})
    (scan,) = load_labeled_scans(config, folder)
    assert len(scan) == 20
    assert load_maps([LabelMaps(**files)], folder, ["sub-1"], **grid) == []
