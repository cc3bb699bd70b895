"""A scan at work: what the steps share of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.cohort.derivatives import output_path, sidecar_of, write_derivative_sidecar
from spineseg_cli.cohort.labels import find_label, label_path
from spineseg_cli.cohort.networks import Networks
from spineseg_cli.cohort.settings import Settings
from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.nifti import read_volume, read_volumes, write_volume
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.localizer import Localizer

# Which step makes what others read.
MADE_BY = {"centerline": "centerline", "cord": "cord", "gray": "gm", "white": "gm", "measures": "measures"}


@dataclass(frozen=True)
class Work:
    """A scan at work.

    Parameters
    ----------
    out : Path
        The folder of the derivatives.
    networks : Networks
        Of the process; they stay loaded from scan to scan.
    """

    scan: Scan
    out: Path
    settings: Settings
    networks: Networks

    @cached_property
    def image(self) -> Volume:
        """The scan's voxels: one volume of a 4-D image, or their mean."""
        if self.scan.volume is not None:
            return read_volumes(self.scan.path)[self.scan.volume]
        return read_volume(self.scan.path, volumes="mean")

    # Networks

    def predictor(self, task: str) -> Predictor:
        """Return the network of a task (a key of `tasks.registry.TASKS`) that the settings name."""
        models = {"centerline": "centerline", "cord": self.settings.cord.model, "gm": self.settings.gm.model}
        return self.networks.predictor(task, models[task])

    def localizer(self, task: str) -> Localizer:
        """Return what finds the cord for a task, where no label says where it is."""
        method = self.settings.centerline.method if task == "centerline" else "optic"
        return self.networks.localizer(task, self.predictor(task), method)

    def weights(self, task: str) -> list[str]:
        """Return the checksums of a task's network, and of those that find the cord for it."""
        localizer = self.localizer(task)
        parts = (getattr(localizer, part, None) for part in ("search", "cord"))
        return [self.predictor(task).sha256, *(part.sha256 for part in parts if part is not None)]

    # Files that are read

    def label(self, kind: str) -> Path | None:
        """Return the label made by hand that takes the place of a result, if there is one and the settings say so."""
        return find_label(self.scan, kind) if self.settings.labels == "use" else None

    @property
    def remedy(self) -> str:
        """What a user can do for a scan in which no cord is found though there is one."""
        path = label_path(self.scan, "centerline").relative_to(self.scan.root).as_posix()
        option = "" if self.settings.labels == "use" else " with --set labels=use"
        return f"mark its centerline in {path}, and run this again{option}"

    def inputs(self, *kinds: str) -> dict[str, Path]:
        """Return the scan, and the labels of these kinds that take the place of results, by what they are."""
        labels = {f"{kind} label": self.label(kind) for kind in kinds}
        return {"scan": self.scan.path} | {name: path for name, path in labels.items() if path}

    def existing(self, *kinds: str) -> dict[str, Path]:
        """Return those derivatives of the run's own steps that are there, by kind."""
        made = [kind for kind in kinds if MADE_BY[kind] in self.settings.steps]
        return {kind: self.output(kind) for kind in made if self.output(kind).is_file()}

    def mask(self, path: Path) -> Volume:
        """Return a mask that lies on the scan's grid; raises GridMismatchError if it does not."""
        mask = read_volume(path, kind="mask")
        check_same_grid(self.image, mask, str(self.scan.relative), str(path.name))
        return mask

    def binary(self, path: Path) -> Volume:
        """Return a mask as 1 in the voxels that are at least half filled, uint8; raises what `mask` does."""
        mask = self.mask(path)
        return mask.with_data((mask.data >= 0.5).astype(np.uint8))

    # Files that are written

    def output(self, kind: str) -> Path:
        """Return where a derivative goes."""
        return output_path(self.out, self.scan, kind)

    def write(self, kind: str, volume: Volume, sources: list[Path], details: dict) -> tuple[Path, Path]:
        """Write an image with its sidecar, and return their paths."""
        path = self.output(kind)
        write_volume(path, volume, volume.data.dtype.type)
        write_derivative_sidecar(path, self.scan, sources, self.out, details)
        return path, sidecar_of(path)
