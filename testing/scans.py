"""The development scans with cord masks, and the two folds of subjects that left-out scores are of.

The scans lie in `$SPINESEG_SHARED/data/dev`; cord masks of the clinical lumbar ones are in `testing/labels/spider`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.localizer import NetworkLocalizer
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.weights.find import find_custom

ROOT = Path(__file__).resolve().parents[1]
DRAWN = ROOT / "testing" / "labels" / "spider"

# Subjects that the weights of fold A have not seen; those of fold B have not seen the others.
FOLD_A = frozenset(
    ["10062", "9604", "errsm05", "errsm11", "errsm20", "hcsc002", "pam50_small"]
    + [f"spider{number}" for number in ("005", "022", "041", "057", "081", "118", "141", "166")]
)

# The networks that tell which slices hold cord train in a minute, and so are left out in smaller groups: so many.
GROUPS = 8

CONTRASTS = {"T1w": "t1", "T2w": "t2", "T2star": "t2s", "T2starw": "t2s", "dwi": "dwi", "MTS": "mt"}

# A voxel that is half full counts as cord; resampled masks miss one half by rounding.
ROUNDING = 1e-4


@dataclass(frozen=True)
class DevScan:
    """A development scan with a cord mask."""

    name: str
    subject: str  # what is left out together
    contrast: str  # a value of `CONTRASTS`
    image_path: Path
    mask_path: Path

    @property
    def fold(self) -> str:
        """The fold, "A" or "B", whose weights have not seen the subject."""
        return "A" if self.subject in FOLD_A else "B"

    @property
    def group(self) -> int:
        """The group whose presence networks have not seen the subject: two lumbar patients, and one or two other subjects."""
        return _groups()[self.subject]

    @property
    def is_lumbar(self) -> bool:
        """Whether it is one of the clinical lumbar scans."""
        return self.subject.startswith("spider")

    @property
    def distorted(self) -> int:
        """How many slices at either end of the labels are distorted, in sagittal T2w scans."""
        return 5 if self.name.startswith("errsm") and self.name.endswith("_T2w") and "C2C5" not in self.name else 0

    def spine(self) -> np.ndarray:
        """Return the label image of a clinical lumbar scan's spine, in RPI."""
        root, subject, anat, name = self.image_path.parents[2], *self.image_path.parts[-3:]
        labels = root / "derivatives" / "labels" / subject / anat / name.replace("T2w", "T2w_label-spine_dseg")
        return to_rpi(read_volume(labels, kind="mask")).data

    def volumes(self, targets: Path | None = None) -> tuple[Volume, np.ndarray]:
        """Return the scan in RPI, and where its cord is, bool; from the folder `targets` where that has a mask of the scan."""
        path = targets and targets / self.image_path.name.replace(".nii.gz", "_edge.nii.gz")
        mask = read_volume(path if path and path.is_file() else self.mask_path, kind="mask")
        return to_rpi(read_volume(self.image_path)), to_rpi(mask).data >= 0.5 - ROUNDING


def development_data() -> Path:
    """Return the folder of the shared data."""
    return Path(os.environ.get("SPINESEG_SHARED", ROOT.parent / "shared")) / "data"


def dev_scans(only: tuple[str, ...] = ()) -> list[DevScan]:
    """Return all development scans with cord masks, or those whose name has one of the strings `only` in it."""
    scans = list(_dev_scans(development_data() / "dev"))
    return [scan for scan in scans if not only or any(part in scan.name for part in only)]


@cache
def _groups() -> dict[str, int]:
    scans = dev_scans()
    kinds = ({scan.subject for scan in scans if scan.is_lumbar is lumbar} for lumbar in (True, False))
    return {subject: number % GROUPS for kind in kinds for number, subject in enumerate(sorted(kind))}


def _dev_scans(root: Path) -> Iterator[DevScan]:
    for mask in sorted(root.glob("gm_challenge/derivatives/labels/*/anat/*_seg-manual.nii.gz")):
        name = mask.parts[-3].removeprefix("sub-")
        image = root / "gm_challenge" / f"sub-{name}" / "anat" / mask.name.replace("_seg-manual", "")
        yield DevScan(f"gm-{name}", name.partition("Ses")[0], "t2s", image, mask)
    for mask in sorted(root.glob("unf01/derivatives/labels/*/anat/*_seg-manual.nii.gz")):
        image = root / "unf01" / mask.parts[-3] / "anat" / mask.name.replace("_seg-manual", "")
        contrast = image.name.removesuffix(".nii.gz").rpartition("_")[2]
        yield DevScan(f"unf01-{contrast}", "unf01", CONTRASTS[contrast], image, mask)
    folder = root / "pam50_small"
    yield DevScan("pam50", "pam50_small", "t2", folder / "PAM50_small_t2.nii.gz", folder / "PAM50_small_cord.nii.gz")
    for mask in sorted(root.glob("errsm/derivatives/labels/*/anat/*_label-SC_seg.nii.gz")):
        name = mask.name.removesuffix("_label-SC_seg.nii.gz")
        image = root / "errsm" / mask.parts[-3] / "anat" / f"{name}.nii.gz"
        contrast = CONTRASTS[name.rpartition("_")[2]]
        yield DevScan(name.removeprefix("sub-"), mask.parts[-3].removeprefix("sub-"), contrast, image, mask)
    for image in sorted(root.glob("spider/sub-*/anat/*.nii.gz")):
        subject = image.parts[-3].removeprefix("sub-")
        yield DevScan(subject, subject, "t2", image, DRAWN / f"sub-{subject}_cord.nii.gz")


# Returns a cord network and a localizer for a fold, and for a group where presence networks are left out.
NetworksOfFold = Callable[..., tuple[Predictor, NetworkLocalizer]]


def networks_of_folds(cord: str, centerline: str, presence: str | None = None) -> NetworksOfFold:
    """Return a function of a fold, "A" or "B", and of a group, that returns a cord network and a localizer, loaded once.

    `cord` and `centerline` are weights files, in whose paths {fold} may stand, or names of the registry; `presence` is the file
    that tells which slices hold cord, with {group} in its path, by default the shipped one.
    """

    @cache
    def of_fold(fold: str, group: int = 0) -> tuple[Predictor, NetworkLocalizer]:
        search = find_custom(centerline.format(fold=fold), "cord", "centerline").predictor("cpu")
        options = {"presence_weights": Path(presence.format(group=group))} if presence else {}
        return find_custom(cord.format(fold=fold), "cord").predictor("cpu"), NetworkLocalizer(search=search, **options)

    return of_fold


def conus_tips_mm() -> dict[str, float]:
    """Return how far below the topmost axial slice the tip of the conus lies in each clinical lumbar scan."""
    with open(DRAWN / "tips.tsv", newline="", encoding="utf-8") as file:
        return {
            row["subject"].removeprefix("sub-"): float(row["tip_mm_from_top"]) for row in csv.DictReader(file, delimiter="\t")
        }


def write_phantom(path: Path, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> None:
    """Write a phantom scan of 16 bits, axial or, if its first axis is the shortest, sagittal; a long one repeats itself.

    For times and memory: what is finer than 1 mm is not drawn, and a spine may be longer than any.
    """
    sagittal = shape[0] < min(shape[1:])
    size, voxel_mm = (np.array(one)[[0, 2, 1] if sagittal else [0, 1, 2]] for one in (shape, spacing_mm))
    finer = np.maximum(1, np.floor(1 / voxel_mm)).astype(int)
    drawn_mm = np.minimum(size * voxel_mm, [400, 400, 200])
    phantom = make_phantom(region=(20, 20 + drawn_mm[2]), spacing_mm=tuple(voxel_mm * finer), fov_mm=tuple(drawn_mm[:2]), seed=1)
    data = np.round(10 * phantom.image.data).astype(np.int16)
    for axis in range(3):
        data = np.repeat(data, finer[axis], axis=axis)
        data = np.pad(data, [(0, max(size[axis] - data.shape[axis], 0) * (axis == other)) for other in range(3)], "symmetric")
        data = np.take(data, np.arange(size[axis]), axis=axis)
    affine = np.diag([-voxel_mm[0], voxel_mm[1], voxel_mm[2], 1.0])
    if sagittal:
        data, affine = np.swapaxes(data, 1, 2), affine[:, [0, 2, 1, 3]]
    write_volume(path, Volume(data, affine), np.int16)
