"""Tiny configurations and runs on artificial crops, for tests of training."""

import csv
from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.training.config import TrainingConfig
from spineseg_cli.training.config_data import LabeledScans
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.data.labeled_slices import cut_slices
from spineseg_cli.training.data.sources import load_label_maps
from spineseg_cli.training.run import Run
from spineseg_cli.weights.files import read_model, write_model

OPTIONS = {"name": "unet2d", "filters": 2, "depth": 1, "classes": 1}
CONFIG = TrainingConfig.model_validate(
    {
        "name": "tiny",
        "network": OPTIONS,
        "outputs": ["cord"],
        "data": {
            "label_maps": [{"cord": "*_seg.nii.gz", "gray_matter": "*_gmseg.nii.gz"}],
            "labeled_scans": [{"image": "*_T2star.nii.gz", "cord": "*_seg.nii.gz", "gray_matter": "*_gmseg.nii.gz"}],
        },
        "inference": {"window": 16},
        "validation": {"subjects": ["sub-2"]},
        "optimizer": {"batch_size": 4, "steps_per_epoch": 3, "epochs": 2, "learning_rate": 0.01},
    }
)
# Of crops of both outputs.
BOTH = CONFIG.with_changes({"outputs": ["gray_matter", "cord"], "network.classes": 2, "inference.window": 128})


def crops(*seed, count=4):
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(count, 16, 16, 1)).astype(np.float32)
    return images, (images > 0.5).astype(np.float32)


class Batches:
    """Batches that depend on the epoch and the step; `killed_at`, an epoch, the process dies before its last step."""

    def __init__(self, config, killed_at=None):
        self.steps, self.count, self.killed_at = config.optimizer.steps_per_epoch, config.optimizer.batch_size, killed_at

    def stream(self, first_epoch=0):
        epoch = first_epoch
        while True:
            for step in range(self.steps):
                if epoch == self.killed_at and step == self.steps - 1:
                    raise SystemExit("killed")
                yield crops(epoch, step, count=self.count)
            epoch += 1


@dataclass
class Data:
    """Made-up crops, to validate on too if `validated`; `reads` counts how often those to train on were asked for."""

    config: TrainingConfig
    killed_at: int | None = None
    validated: bool = True
    reads: int = 0

    def batches(self):
        self.reads += 1
        return Batches(self.config, self.killed_at)

    def validation(self):
        return crops(99, count=7) if self.validated else None


def train(config, folder, init=None, killed_at=None):
    from spineseg_cli.training.trainer import fit

    run = Run(folder, config, {"init": init and str(init)})
    return fit(run, Data(config, killed_at), init and read_model(init)).path


def cut(image, cord=None, gray=(), search=None, changes=None, spine=None, **options):
    """Return the labeled slices of a scan; `changes` are those of the configuration, and `options` those of the source."""
    masks = {key: paths for key, paths in (("cord", (cord,) if cord else ()), ("gray_matter", gray)) if paths}
    source = LabeledScans(image="*", cord="*", gray_matter="*", **options)
    common = {"sampling.crop_sizes": [16], "augmentation.profile": "none"}
    config = (BOTH if gray else CONFIG).with_changes({**common, **(changes or {})})
    return cut_slices(LabeledScan("sub-1", image, masks, spine=spine), source, config, search)


def load_maps(sources, folder, leave_out=(), **changes):
    """Return the label slices of sources of label maps."""
    maps = {"data.label_maps": [source.model_dump() for source in sources], "sampling.crop_sizes": [16]}
    return load_label_maps(CONFIG.with_changes({**maps, **changes}), folder, leave_out)


def untrained(path, options=OPTIONS):
    """Write an untrained network to `path`, and return the path."""
    from spineseg_cli.networks import build_network

    write_model(build_network(**options), path, options, ("cord",), InferenceConfig(window=16))
    return path


def history(folder):
    return list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
