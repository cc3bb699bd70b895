"""The training and validation data of a run: a user's labeled scans by a split, or the scans that a configuration names."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.errors import InputError
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.data.crops import CropBatches, Crops, validation_crops
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.data.labeled_slices import ScanSlice, cut_slices
from spineseg_cli.training.data.missing_cords import draw_missing_cords
from spineseg_cli.training.data.nyul_scale import learn_landmarks
from spineseg_cli.training.data.sources import check_left_out, find_labeled_scans, load_label_maps
from spineseg_cli.weights.find import find_model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitData:
    """A user's labeled scans by a split of their subjects, and the label maps of the configuration.

    The data are read by the methods, which may take minutes, and raise InputError if they are missing or unreadable. Missing
    masks of the cord are drawn then.
    """

    config: TrainingConfig  # The configuration. The options of its first source of labeled scans apply to all scans.
    scans: Sequence[LabeledScan]
    split: Mapping[str, str]
    maps_root: Path  # the folder that the globs of `data.label_maps` are relative to
    search: Predictor | None = None  # a network by which crops from scans are centered

    def batches(self) -> CropBatches:
        """Return the batches of crops from the subset "train"."""
        scans = self._slices_of("train")
        label_maps = load_label_maps(self.config, self.maps_root) if self.config.data.scan_fraction < 1 else []
        return CropBatches(self.config, label_maps, scans)

    def validation(self) -> Crops:
        """Return the crops of the subset "validation"."""
        return validation_crops(self.config, self._slices_of("validation"))

    def _slices_of(self, subset: str) -> list[list[ScanSlice]]:
        scans = [scan for scan in self.scans if self.split[scan.subject] == subset]
        draw_missing_cords(scans)
        source = self.config.data.labeled_scans[0]
        loaded = [cut_slices(scan, source, self.config, self.search) for scan in scans]
        labeled = [slices for slices in loaded if slices]
        if not labeled:
            raise InputError(f"no slice of the subset {subset!r} is labeled")
        return labeled


@dataclass(frozen=True)
class ConfiguredData:
    """The scans and label maps that a configuration names; they are read as those of `SplitData`."""

    config: TrainingConfig
    root: Path  # the folder that its globs are relative to
    leave_out: Sequence[str] = ()  # subjects that are neither trained nor validated on: see `data.sources.is_of_any`
    processes: int = 0  # the number of processes that make crops; with 0, a thread does

    def batches(self) -> CropBatches:
        """Return the batches of all subjects except those for validation."""
        config, data = self.config, self.config.data
        unseen = (*self.leave_out, *config.validation.subjects)
        label_maps = load_label_maps(config, self.root, unseen)
        check_left_out(data.labeled_scans, self.root, self.leave_out)
        scans = load_labeled_scans(config, self.root, unseen)
        if (data.scan_fraction < 1 and not label_maps) or (data.scan_fraction > 0 and not scans):
            raise InputError(
                f"nothing to train on: the configuration {config.name} has {len(label_maps)} sources of label maps and "
                f"{len(scans)} scans left under {self.root}, and takes {data.scan_fraction:g} of the crops from scans"
            )
        log.debug("training on %d sources of label maps and %d scans", len(label_maps), len(scans))
        return CropBatches(config, label_maps, scans, self.processes)

    def validation(self) -> Crops | None:
        """Return the crops of the validation subjects of the configuration, if there are any."""
        subjects = self.config.validation.subjects
        if not subjects:
            return None
        scans = load_labeled_scans(self.config, self.root, self.leave_out, subjects)
        if not scans:
            raise InputError(f"no scan to validate on: none under {self.root} is of {', '.join(subjects)}")
        return validation_crops(self.config, scans)


def search_of(config: TrainingConfig) -> Predictor | None:
    """Return the shipped localizer network if the crops of a run are centered by it, otherwise None."""
    return find_model("centerline").predictor() if config.data.crop_centers == "network" else None


def load_labeled_scans(
    config: TrainingConfig, data: Path, leave_out: Iterable[str] = (), subjects: Iterable[str] | None = None
) -> list[list[ScanSlice]]:
    """Return the labeled slices of each scan that a configuration names; with `subjects`, only of these.

    Raises what `find_labeled_scans` and `cut_slices` raise.
    """
    search = search_of(config)
    named = find_labeled_scans(config.data.labeled_scans, data, leave_out, subjects)
    keys = [(scan.image, source.model_dump_json()) for scan, source in named]
    different = dict(zip(keys, named, strict=True))  # some are listed several times
    with ThreadPoolExecutor() as threads:
        read = threads.map(lambda one: cut_slices(one[0], one[1], config, search), different.values())
        loaded = dict(zip(different, read, strict=True))
    return [loaded[key] for key in keys if loaded[key]]


def learn_nyul_scale(config: TrainingConfig, scans: Sequence[LabeledScan]) -> list[float]:
    """Return the landmarks of the Nyul scale of `scans`, from the windows that the network reads."""
    source = config.data.labeled_scans[0]
    return learn_landmarks([cut_slices(scan, source, config) for scan in scans], config.inference.window)


def with_label_maps_that_exist(config: TrainingConfig, maps_root: Path) -> TrainingConfig:
    """Return the configuration without label maps whose files do not exist. If none is left, all crops come from scans."""
    sources = config.data.label_maps
    kept = [source for source in sources if not source.cord or any(maps_root.glob(source.cord))]
    if len(kept) == len(sources) and kept:
        return config
    if len(kept) < len(sources):
        log.warning("%d of %d sources of label maps are not under %s", len(sources) - len(kept), len(sources), maps_root)
    fraction = config.data.scan_fraction if kept else 1
    return config.with_changes({"data.label_maps": [s.model_dump() for s in kept], "data.scan_fraction": fraction})
