"""A step of the processing of a scan, its result, and what all steps need: the scan's files, settings and networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.cohort.derivatives import output_path, write_derivative_sidecar
from spineseg_cli.cohort.labels import find_label, label_path
from spineseg_cli.cohort.network_cache import NetworkCache
from spineseg_cli.cohort.settings import Settings
from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.image.grid import check_same_grid
from spineseg_cli.core.image.nifti import read_volume, read_volumes, write_volume
from spineseg_cli.core.image.non_finite import non_finite_details
from spineseg_cli.core.image.orientation import turned_to
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.localizer import Localizer, NetworkLocalizer
from spineseg_cli.core.provenance import sidecar_path
from spineseg_cli.errors import InputError

# The step that writes each kind of derivative.
MADE_BY = {"centerline": "centerline", "cord": "cord", "gray": "gm", "white": "gm", "measures": "measures"}


@dataclass(frozen=True)
class StepContext:
    """A scan, with everything that a step needs to process it."""

    scan: Scan
    out: Path
    settings: Settings
    networks: NetworkCache  # the networks of this process, which stay loaded from scan to scan

    @cached_property
    def image(self) -> Volume:
        """The voxels of the scan; of a 4-D image, one volume, or the mean of all."""
        if self.scan.volume is not None:
            return read_volumes(self.scan.path)[self.scan.volume]
        return read_volume(self.scan.path, volumes="mean")

    # NetworkCache

    def predictor(self, task: str) -> Predictor:
        """Return the network of a task (a key of `tasks.registry.TASKS`) that the settings name."""
        models = {"centerline": "centerline", "cord": self.settings.cord.model, "gm": self.settings.gm.model}
        return self.networks.predictor(task, models[task])

    def localizer(self, task: str) -> Localizer:
        """Return the localizer that searches for the cord if no label shows where it is."""
        method = self.settings.centerline.method if task == "centerline" else "optic"
        return self.networks.localizer(task, self.predictor(task), method)

    def weights(self, task: str) -> list[str]:
        """Return the checksums of all files of weights that a task and its localizer use."""
        networks, presence, localizer = [self.predictor(task)], [], self.localizer(task)
        if isinstance(localizer, NetworkLocalizer):
            networks += [network for network in (localizer.search, localizer.cord) if network]
            presence = [file_sha256(localizer.presence_weights)]
        return [checksum for network in networks for checksum in network.checksums] + presence

    # Input files

    def label(self, kind: str) -> Path | None:
        """Return the label that replaces a result, if there is one and the settings use labels."""
        return find_label(self.scan, kind) if self.settings.labels == "use" else None

    @property
    def remedy(self) -> str:
        """Advice for the user of a scan in which the cord was not found."""
        path = label_path(self.scan, "centerline").relative_to(self.scan.root).as_posix()
        option = "" if self.settings.labels == "use" else " with --set labels=use"
        return f"mark its centerline in {path}, and run this again{option}"

    def inputs(self, *kinds: str) -> dict[str, Path]:
        """Return the files of the scan and of its labels of these kinds that replace results, by a name for each."""
        labels = {f"{kind} label": self.label(kind) for kind in kinds}
        return {"scan": self.scan.path} | {name: path for name, path in labels.items() if path}

    def existing(self, *kinds: str) -> dict[str, Path]:
        """Return the derivatives of these kinds that steps of this run make and that exist, by kind."""
        made = [kind for kind in kinds if MADE_BY[kind] in self.settings.steps]
        return {kind: self.output(kind) for kind in made if self.output(kind).is_file()}

    def mask(self, path: Path) -> Volume:
        """Return a mask on the grid of the scan; a file in another orientation, as some viewers write it, is turned.

        Raises GridMismatchError if it is on another grid.
        """
        stored = read_volume(path, kind="mask")
        mask = turned_to(stored, self.image)
        check_same_grid(self.image, mask, str(self.scan.relative), str(path.name))
        return mask if mask is stored else Volume(mask.data, mask.affine, {**mask.meta, "header": self.image.meta["header"]})

    def drawn(self, path: Path) -> Volume:
        """Return a mask that shows where the cord is. Raises what `mask` raises, and InputError if it is empty."""
        mask = self.mask(path)
        if not (mask.data > 0).any():
            raise InputError(f"{path.name} is empty: draw in it, or delete it")
        return mask

    def binary(self, path: Path) -> Volume:
        """Return a binary mask, uint8: 1 in voxels that are at least half filled. Raises what `mask` raises."""
        mask = self.mask(path)
        return mask.with_data((mask.data >= 0.5).astype(np.uint8))

    # Output files

    def output(self, kind: str) -> Path:
        """Return the path of a derivative; `kind` is a key of `derivatives.ENDINGS`."""
        return output_path(self.out, self.scan, kind)

    def write(self, kind: str, volume: Volume, sources: list[Path], details: dict) -> tuple[Path, Path]:
        """Write an image and its sidecar, and return their paths."""
        path = self.output(kind)
        write_volume(path, volume, volume.data.dtype.type)
        write_derivative_sidecar(path, self.scan, sources, self.out, non_finite_details(volume) | details)
        return path, sidecar_path(path)


@dataclass(frozen=True)
class StepResult:
    """The result of a step."""

    state: str  # see `ledger.Entry`
    files: tuple[Path, ...] = ()
    message: str = ""  # a message for the user
    facts: dict[str, Any] = field(default_factory=dict)  # numbers for the table of the cohort, as JSON values


@dataclass(frozen=True)
class Step:
    """A step of the processing of a scan."""

    revision: int  # must be increased when the code changes such that equal inputs give another result
    run: Callable[[StepContext], StepResult]
    reads: Callable[[StepContext], dict[str, Path]]  # returns the files that the step reads, by a name for each
    # Returns the checksums of the networks that the result depends on.
    weights: Callable[[StepContext], list[str]] = lambda context: []
