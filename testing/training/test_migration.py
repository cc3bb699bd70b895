"""What versions 0.8 and 0.9 wrote: configurations, changes and studies load in the words of this one."""

import pytest
import yaml

from spineseg_cli.errors import InputError
from spineseg_cli.training.config_files import load_config
from spineseg_cli.training.migration import migrate_config, migrate_experiment

# The recipe `finetune_cord3d` of version 0.9, with what else a recipe could say.
RECIPE = """
network: {name: unet3d}
outputs: [cord]
maps:
  - {cord: a_seg.nii.gz, gray: a_gmseg.nii.gz, step: 3, weight: 2}
scans:
  - {image: x.nii.gz, cord: y.nii.gz, gray: [z1.nii.gz, z2.nii.gz], trim: 2, complete: below}
real_share: 0.7
wide_share: 0.3
wide_shift_mm: 20
surroundings_mm: 64
jitter_mm: 2
overlap: 0.25
contrasts: {t2: 1}
flips: true
augmentation: kumar
centerline: auto
nyul: true
raters: mean
validation: [sub-01]
early_stopping: {patience: 8, min_delta: 0.0005}
keep_start: false
scores: [dice, mcc]
preprocessing: {spacing_mm: 0.5, window: 64, depth: 48, scale: standard, half: 0.6, sharpness: 3}
loss: {name: dice_cross_entropy, weight: 1.0}
batch: 2
crop_sizes: [64]
crop_depth: 32
epochs: 40
steps: 50
learning_rate: 0.0001
decay_power: 0.5
decay_by: epoch
precision: mixed_bfloat16
gpus: all
surgery: expansion
unfreeze: {keep: contraction, learning_rate: 1.0e-5}
seed: 3
"""


def test_a_recipe_of_0_9(tmp_path):
    path = tmp_path / "old.yaml"
    path.write_text(RECIPE)
    config = load_config(str(path))
    maps, scans = config.data.label_maps[0], config.data.labeled_scans[0]
    assert (maps.cord, maps.gray_matter, maps.step, maps.weight) == ("a_seg.nii.gz", "a_gmseg.nii.gz", 3, 2)
    assert (scans.gray_matter, scans.trim_slices, scans.label_coverage) == (("z1.nii.gz", "z2.nii.gz"), 2, "below")
    data, sampling, optimizer = config.data, config.sampling, config.optimizer
    assert (data.scan_fraction, data.raters, data.crop_centers, data.learn_nyul, data.source_fov_mm) == (
        0.7, "mean", "network", True, 64,
    )  # fmt: skip
    assert (sampling.crop_sizes, sampling.crop_depth, sampling.patch_overlap, sampling.center_jitter_mm) == ((64,), 32, 0.25, 2)
    assert (sampling.far_shift_prob, sampling.far_shift_mm, sampling.contrasts) == (0.3, 20, {"t2": 1})
    assert (config.augmentation.profile, config.augmentation.mirror) == ("kumar", True)
    inference = config.inference
    assert (inference.normalization, inference.outline_probability, inference.logit_scale) == ("zscore", 0.6, 3)
    assert (optimizer.batch_size, optimizer.epochs, optimizer.steps_per_epoch, optimizer.gpus) == (2, 40, 50, "all")
    assert optimizer.schedule.as_dict == {"name": "poly", "power": 0.5, "per": "epoch"}
    assert config.surgery.model_dump() == {
        "reinitialize": "decoder", "freeze": None, "second_phase": {"freeze": "encoder", "learning_rate": 1e-5, "epochs": None},
    }  # fmt: skip
    validation = config.validation
    assert (validation.subjects, validation.metrics, validation.include_initial_weights) == (("sub-01",), ("dice", "mcc"), False)
    assert (validation.early_stopping.patience, validation.select_by, config.seed) == (8, "crops", 3)
    assert migrate_config(migrate_config(yaml.safe_load(RECIPE))) == migrate_config(yaml.safe_load(RECIPE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"epochs": 5}, {"optimizer": {"epochs": 5}}),
        ({"preprocessing": {"scale": "minmax"}}, {"inference": {"normalization": "minmax"}}),
        ({"unfreeze": {"keep": "none"}}, {"surgery": {"second_phase": {"freeze": None}}}),
        ({"surgery": None, "freeze": "contraction"}, {"surgery": {"reinitialize": None, "freeze": "encoder"}}),
        ({"schedule": {"name": "triangular", "by": "step"}}, {"optimizer": {"schedule": {"name": "triangular", "per": "step"}}}),
        ({"schedule": "halve"}, {"optimizer": {"schedule": "reduce_on_plateau"}}),
        ({"optimizer": {"epochs": 5}, "augmentation": {"profile": "kumar"}}, None),
    ],
)
def test_changes_of_0_9(old, new):
    assert migrate_config(old) == (new or old)


def test_an_old_name_beside_its_new_one_is_refused():
    with pytest.raises(InputError, match="epochs is the old name of optimizer.epochs; give one of the two"):
        migrate_config({"epochs": 5, "optimizer": {"epochs": 6}})


def test_a_study_of_0_9():
    old = yaml.safe_load(
        "{recipe: finetune_gm, centerlines: [centre, exact], finding: {arm: new, claim: better}, arms: [{name: new, recipe: x, "
        "complete: below, finder: {epochs: 3}}], budgets: {full: {recipe: y, sweep: {recipe: z, factors: {}}}}}"
    )
    assert migrate_experiment(old) == {
        "config": "finetune_gm",
        "localizers": ["image_center", "mask"],
        "finding": {"variant": "new", "claim": "better"},
        "variants": [{"name": "new", "config": "x", "label_coverage": "below", "localizer": {"epochs": 3}}],
        "budgets": {"full": {"config": "y", "sweep": {"config": "z", "factors": {}}}},
    }
