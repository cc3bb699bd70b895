"""Training targets for the cord: masks whose outline is moved to the edge that the image shows.

They are made for scans whose experts drew inside the edge (sub-unf01, T1w of errsm, PAM50) and for scans without a mask. The
configuration `cord` reads them from the folder `targets`. Scans of one session on one grid share the target of the scan that
shows the cord best, which is the one with a magnetization transfer pulse, unless the subject moved between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import from_rpi, to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.localizer import Localizer
from spineseg_cli.core.outlines.contour import move_to_edge
from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.training.data.patterns import pair_by_patterns

# The number of times that the outline is moved, and the largest distance of each move. They suffice for masks that are a fifth
# too small.
ROUNDS = 5
REACH_MM = 1.5

# An image shares a target if an edge is visible around it, on average over rays and slices, to at least this degree, 0 to 1.
# Where the subject lay still it is 0.15 or more; where the cord had moved by 3 to 7 mm, 0.05 or less.
LEAST_TRUST = 0.1

# Images, and the masks of experts that lie inside the edge.
DRAWN_INSIDE = (
    ("dev/unf01/sub-unf01/anat/*.nii.gz", "dev/unf01/derivatives/labels/sub-unf01/anat/*_seg-manual.nii.gz"),
    ("dev/errsm/sub-errsm*/anat/*_T1w.nii.gz", "dev/errsm/derivatives/labels/sub-errsm*/anat/*_T1w_label-SC_seg.nii.gz"),
    ("dev/pam50_small/PAM50_small_t2.nii.gz", "dev/pam50_small/PAM50_small_cord.nii.gz"),
)

# Images without a mask that show the cord best, and images of the same session that share their targets.
WITHOUT_MASK = (
    ("unlabelled/sub-*_acq-MTon_MTS.nii.gz", "unlabelled/sub-*_acq-MToff_MTS.nii.gz"),
    ("unlabelled/sct_example_mt1.nii.gz", "unlabelled/sct_example_mt0.nii.gz"),
    ("dev/errsm/sub-*/anat/*_mt-on_MTS.nii.gz", "dev/errsm/sub-*/anat/*_mt-off_MTS.nii.gz"),
    ("dev/errsm/sub-*/anat/*_mt-on_MTS.nii.gz", "dev/errsm/sub-*/anat/*_spgr.nii.gz"),
)


@dataclass(frozen=True)
class EdgeTarget:
    """A target, and the images that it belongs to."""

    target: Volume  # the fraction of each voxel inside the edge, float32
    images: tuple[Path, ...]


def mask_inside_edge(image: Volume, mask: Volume, rounds: int = ROUNDS) -> Volume:
    """Return the fraction of each voxel inside the edge that an image shows around a mask, float32; 0 for an empty mask.

    `image` and `mask` are on one grid, in any orientation. The outline is moved `rounds` times, by at most `REACH_MM` each
    time.
    """
    scan, share = to_rpi(image), to_rpi(mask).data.astype(np.float32)
    for _ in range(rounds):
        share = move_to_edge(scan.data, share, scan.spacing_mm, reach_mm=REACH_MM, held=False).fraction
    return from_rpi(share, image)


def edge_targets(data: Path, predictor: Predictor, localizer: Localizer) -> Iterator[EdgeTarget]:
    """Yield the targets of the configuration `cord` for the images in a folder; missing kinds of images are skipped.

    `predictor` is a network of the task "cord", for images without a mask.
    """
    for images, masks in DRAWN_INSIDE:
        if any(data.glob(images)):
            for _, image, drawn in pair_by_patterns(data, images, masks, "cord"):
                mask = read_volume(drawn[0], kind="mask")
                yield EdgeTarget(mask_inside_edge(read_volume(image), mask), (image,))
    shared: dict[Path, list[Path]] = {}
    for clear, others in WITHOUT_MASK:
        for image in sorted(data.glob(clear)):
            shared.setdefault(image, []).extend(
                path for path in sorted(data.glob(others)) if path.parent == image.parent and _subject(path) == _subject(image)
            )
    for image, sharing in shared.items():
        scan = read_volume(image)
        mask = segment_cord(scan, predictor, localizer).mask
        target = mask_inside_edge(scan, mask, rounds=1)
        yield EdgeTarget(target, (image, *(path for path in sharing if _shows(read_volume(path), target))))


def write_target(edge_target: EdgeTarget, folder: Path) -> list[Path]:
    """Write a target for each of its images as `folder/IMAGE_edge.nii.gz`, and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / image.name.replace(".nii.gz", "_edge.nii.gz") for image in edge_target.images]
    for path, image in zip(paths, edge_target.images, strict=True):
        write_volume(path, read_volume(image).with_data(edge_target.target.data), np.float32)
    return paths


def _subject(path: Path) -> str:
    return path.name.partition("_")[0]


def _shows(image: Volume, target: Volume) -> bool:
    """Return whether an image is on the grid of a target, and shows an edge around it."""
    if image.shape != target.shape or not np.allclose(image.affine, target.affine, atol=1e-2):
        return False
    scan, share = to_rpi(image), to_rpi(target).data
    trust = move_to_edge(scan.data, share, scan.spacing_mm).trust[share.any(axis=(0, 1))]
    return bool(trust.size) and float(trust.mean()) >= LEAST_TRUST
