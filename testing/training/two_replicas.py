"""Run by test_distributed in a process with two logical CPUs instead of GPUs; writes `found.json` to its folder."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from spineseg_cli.core.inference.runtime import import_tensorflow
from testing.training.runs import CONFIG, crops, train


def first_steps(config, scope):
    """Train two steps on a batch of 5, and return loss and metrics, a validation of 7, and the optimizer's moments."""
    import keras

    from spineseg_cli.training.trainer import Trainer

    with scope:
        keras.utils.set_random_seed(1)
        trainer = Trainer(config)
        trainer.begin(config.phases[0])
        rows = [trainer.steps.train(*crops(n, count=5)) for n in range(2)]
        rows.append(trainer.validate(crops(9, count=7)))
        rows = [{name: float(value) for name, value in row.items()} for row in rows]
        moments = [np.abs(np.asarray(variable)).astype(float) for variable in trainer.network.optimizer.variables]
        return rows, [float(moment.sum()) for moment in moments]


def overflow(scope):
    """Train on a batch whose second half has infinite gradients; return whether weights changed, and the loss scale."""
    from spineseg_cli.training.trainer import Trainer

    with scope:
        trainer = Trainer(CONFIG.with_changes({"optimizer.precision": "mixed_float16"}))
        trainer.begin(CONFIG.phases[0])
        before = [np.asarray(v) for v in trainer.network.trainable_variables]
        images, targets = crops(0)
        images[2:] = 1e6
        scales = [float(trainer.network.optimizer.dynamic_scale.numpy())]
        trainer.steps.train(images, targets)
        scales.append(float(trainer.network.optimizer.dynamic_scale.numpy()))
        same = all(np.array_equal(a, np.asarray(b)) for a, b in zip(before, trainer.network.trainable_variables, strict=True))
        return same, scales


def main(folder):
    tensorflow = import_tensorflow()
    (processor,) = tensorflow.config.list_physical_devices("CPU")
    parts = [tensorflow.config.LogicalDeviceConfiguration()] * 2
    tensorflow.config.set_logical_device_configuration(processor, parts)
    both = tensorflow.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    found = {}
    for loss in ("dice_cross_entropy", "focal_tversky"):
        config = CONFIG.with_changes({"loss": loss, "validation.metrics": ["dice", "mcc"]})
        found[loss] = [first_steps(config, scope) for scope in (nullcontext(), both.scope())]
    found["float16"] = overflow(both.scope())
    changes = {"network.dropout": 0.3, "optimizer": {"schedule": "constant", "epochs": 1}, "validation.subjects": []}
    dropping = CONFIG.with_changes(changes)
    longer = dropping.with_changes({"optimizer.epochs": 2})
    with both.scope():
        train(dropping, folder / "resumed")
        train(longer, folder / "resumed")
        train(longer, folder / "unbroken")
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
