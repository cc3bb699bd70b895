"""Registries: lazy, and open to packages of others."""

import subprocess
import sys
import textwrap

import pytest

from spineseg_cli.core.registry import Entry, Registry
from spineseg_cli.errors import InputError

PACKAGE = {
    "mine/__init__.py": "",
    "mine/parts.py": """
        import keras
        import numpy as np

        from spineseg_cli.training.metrics import ChannelMetric


        class Hinge(keras.losses.Hinge):
            pass


        def halving(span, every=3):
            return keras.optimizers.schedules.ExponentialDecay(span.rate, every * span.steps_per_epoch, 0.5)


        class Voxels(ChannelMetric):
            sums = ("count",)

            def add(self, reference, prediction):
                self.count.assign_add(keras.ops.sum(prediction))

            def result(self):
                return self.count


        def tiny(filters=2):
            inputs = keras.Input((None, None, 1))
            return keras.Model(inputs, keras.layers.Conv2D(1, filters, padding="same", activation="sigmoid")(inputs))
    """,
    "mine/data.py": """
        from spineseg_cli.training.data import transforms


        def negated(image, spacing_mm, size, rng, mirror=True):
            coordinates = transforms.identity(size)
            return -transforms.read(image, coordinates), coordinates


        class Inverted:
            def draw(self, rng):
                return 0.9, 0.5, 0.1


        inverted = Inverted()


        def at_left(task, finder):
            return lambda scan: "left"
    """,
    "mine-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n",
    "mine-1.0.dist-info/entry_points.txt": """
        [spineseg.losses]
        hinge = mine.parts:Hinge
        [spineseg.schedules]
        halving = mine.parts:halving
        [spineseg.training_metrics]
        voxels = mine.parts:Voxels
        [spineseg.networks]
        tiny = mine.parts:tiny
        [spineseg.augmentations]
        negated = mine.data:negated
        [spineseg.contrasts]
        inverted = mine.data:inverted
        [spineseg.localizers]
        at_left = mine.data:at_left
        [spineseg.cord_methods]
        by_hand = mine.data:by_hand
    """,
}

USE = """
    import sys

    from click.testing import CliRunner

    from spineseg_cli.cli.finetune import main
    from spineseg_cli.cli.seg_cord import main as seg_cord
    from spineseg_cli.experiments.localizers import LOCALIZERS
    from spineseg_cli.synthesis.contrasts import CONTRASTS
    from spineseg_cli.training.choices import AUGMENTATIONS
    from spineseg_cli.training.config import TrainingConfig

    config = TrainingConfig.model_validate({
        "name": "x", "network": {"name": "tiny", "filters": 3}, "outputs": ["cord"],
        "data": {"label_maps": [{"phantom": 1}], "labeled_scans": [{"image": "a", "cord": "b"}], "scan_fraction": 0.5},
        "sampling": {"contrasts": {"inverted": 1}}, "augmentation": {"profile": "negated"},
        "loss": "hinge", "optimizer": {"schedule": {"name": "halving", "every": 2}}, "validation": {"metrics": ["voxels"]},
    })
    schedule, = (option for option in main.params if option.name == "optimizer__schedule")
    assert "halving" in schedule.type.choices, "the help of the command lists it"
    assert "[network|propseg|by_hand]" in CliRunner().invoke(seg_cord, ["-h"]).output
    refused = CliRunner().invoke(seg_cord, ["-i", "scan.nii", "--method", "by_eye"]).output
    assert "'by_eye' is not one of 'network', 'propseg', 'by_hand'" in refused
    assert CONTRASTS.load("inverted").draw(None) == (0.9, 0.5, 0.1)
    assert LOCALIZERS.load("at_left")(None, None)(None) == "left"
    assert AUGMENTATIONS.load("negated").__name__ == "negated"
    assert "tensorflow" not in sys.modules and "keras" not in sys.modules, "only now"

    from spineseg_cli.core.inference.runtime import import_tensorflow

    import_tensorflow()
    from spineseg_cli.training.trainer import Trainer

    trainer = Trainer(config)
    trainer.begin(config.phases[0])
    assert type(trainer.network.loss).__name__ == "Hinge"
    assert abs(trainer.rate - 0.001) < 1e-8
    assert trainer.network.count_params() == 10
"""


def test_a_package_adds_one_of_each_kind(tmp_path):
    """One file of code, and one line in its metadata for each; nothing of spineseg is changed."""
    for name, text in PACKAGE.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + textwrap.dedent(USE)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_names_are_listed_and_loaded_late():
    registry = Registry("fruits", {"apple": Entry("nowhere.at_all:apple", "green"), "pear": Entry(len, "yellow")})
    assert list(registry) == ["apple", "pear"]
    assert registry.in_words() == "apple: green; pear: yellow"
    assert registry.load("pear") is len
    with pytest.raises(ModuleNotFoundError):
        registry.load("apple")
    assert "kiwi" not in registry
    with pytest.raises(InputError, match="'kiwi' is not one of the fruits; expected one of apple, pear"):
        registry.load("kiwi")
