"""Recipes: read, checked, refused."""

from dataclasses import replace

import pytest

from spineseg_cli.errors import InputError
from spineseg_cli.training.configs.files import RECIPES, load_recipe

GOOD = {"network": "{name: unet2d, classes: 2}", "maps": "[{phantom: 1}]"}


def write(folder, **changes):
    path = folder / "mine.yaml"
    fields = {**GOOD, **changes}
    path.write_text("\n".join(f"{name}: {value}" for name, value in fields.items() if value is not None))
    return str(path)


def test_shipped_recipes_load():
    names = [path.stem for path in RECIPES.glob("*.yaml")]
    assert names
    for name in names:
        assert load_recipe(name).name == name


def test_a_file(tmp_path):
    recipe = load_recipe(write(tmp_path, batch=3, learning_rate=0.5))
    assert (recipe.name, recipe.batch, recipe.learning_rate, recipe.maps) == ("mine", 3, 0.5, [{"phantom": 1}])


def test_fields_are_changed(tmp_path):
    recipe = load_recipe(write(tmp_path), ["epochs=7", "network.filters=4", "preprocessing.window=64", "crop_sizes=[64, 72]"])
    assert (recipe.epochs, recipe.network["filters"], recipe.network["classes"]) == (7, 4, 2)
    assert (recipe.preprocessing, recipe.crop_sizes) == ({"window": 64}, [64, 72])
    for change in ("epochs", "crop_sizes.first=64", "network={"):
        with pytest.raises(InputError, match="expected a change like epochs=5"):
            load_recipe(write(tmp_path, crop_sizes="[64]"), [change])
    with pytest.raises(InputError, match="epochs .* positive whole number; got 'many'"):
        load_recipe(write(tmp_path), ["epochs=many"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batches": 3}, r"unknown fields \['batches'\]; expected some of"),
        ({"maps": None}, "maps"),
        ({"maps": "[]"}, "maps"),
        ({"batch": 0}, "batch .* positive whole number; got 0"),
        ({"epochs": 1.5}, "epochs .* positive whole number; got 1.5"),
        ({"steps": "many"}, "steps .* positive whole number; got 'many'"),
        ({"learning_rate": -1}, "learning_rate .* 0 or more; got -1"),
        ({"real_share": 2}, "real_share .* at most 1"),
        ({"network": "{name: vnet, classes: 2}"}, "network name must be one of aspp, unet2d, .*; got 'vnet'"),
        ({"network": "unet2d"}, "network must be a name and options; got 'unet2d'"),
        ({"network": "{name: unet2d, classes: 1}"}, "the network has 1 classes, and there are 2 outputs"),
        ({"outputs": "[cord, brain]"}, "outputs must be one of gray_matter, cord; got 'brain'"),
        ({"loss": "{name: hinge}"}, "loss name must be one of dice, .*focal_tversky; got 'hinge'"),
        ({"loss": "{name: dice, gamma: 1}"}, "the loss dice must be one of epsilon; got 'gamma'"),
        ({"loss": "{name: focal_tversky, gamma: 0}"}, "gamma must be a number above 0; got 0"),
        ({"augmentation": "strong"}, "augmentation must be one of default, recolored, perone, kumar, none; got 'strong'"),
        ({"raters": "best"}, "raters must be one of each, mean"),
        ({"precision": "float8"}, "precision must be one of"),
        ({"crop_sizes": "[100]"}, r"crop_sizes must be multiples of 8; got \[100\]"),
        ({"crop_sizes": "[328]"}, "crop_sizes must be a list of whole numbers from 8 to 320"),
        ({"network": "{name: unet3d, classes: 2}"}, "crop_depth must be even for a 3-D network, 0 for others; got 0"),
        ({"crop_depth": 16}, "crop_depth must be even for a 3-D network, 0 for others; got 16"),
        ({"network": "{name: unet3d, classes: 2}", "crop_depth": 15}, "crop_depth must be even .*; got 15"),
        ({"network": "{name: unet3d, classes: 2}", "crop_depth": -2}, "crop_depth must be a whole number of 0 or more; got -2"),
        ({"network": "{name: unet3d, classes: 2, dimensions: 2}", "crop_depth": 16}, "crop_depth must be even .*; got 16"),
        (
            {
                "network": "{name: unet3d, classes: 2}",
                "crop_depth": 16,
                "scans": "[{image: a, cord: b, gray: c, slices: 9}]",
                "real_share": 0.5,
            },
            "slices in scans must be left out for a 3-D network",
        ),
        (
            {"network": "{name: unet3d, classes: 2}", "crop_depth": 16, "sagittal_share": 0.2},
            "sagittal_share must be 0 for a 3-D network; got 0.2",
        ),
        ({"contrasts": "{t3: 1}"}, "contrasts must be shares of t2s, t2, .*; got {'t3': 1}"),
        ({"contrasts": "{t2: 0}"}, "contrasts must be shares"),
        ({"overlap": 1}, "overlap must be below 1; got 1"),
        ({"jitter_mm": -1}, "jitter_mm must be a number of 0 or more; got -1"),
        ({"flips": "often"}, "flips must be true, false or null; got 'often'"),
        ({"keep_start": "no!"}, "keep_start must be true or false; got 'no!'"),
        ({"nyul": 3}, "nyul must be true or false; got 3"),
        ({"preprocessing": "{size: 3}"}, "preprocessing must have some of spacing_mm"),
        ({"preprocessing": "{scale: max}"}, "preprocessing normalization must be one of zscore, minmax; got 'max'"),
        ({"preprocessing": "{scale: minmax, per_slice: false}"}, "minmax scales each slice; expected per_slice: true with it"),
        ({"preprocessing": "{half: 1}"}, "outline_probability must be a number between 0 and 1, without these; got 1"),
        ({"preprocessing": "{sharpness: 0}"}, "preprocessing logit_scale must be a number above 0; got 0"),
        ({"preprocessing": "{per_slice: false}"}, "per_slice: false .* expected one of perone, kumar, none"),
        (
            {"maps": "[{cord: a.nii}]"},
            "maps must be cord and gray, or any of brainstem, .*phantom, phantom_stacks, in each source",
        ),
        ({"maps": "[{cord: [a, b], gray: c}]"}, "cord in maps must be a glob"),
        ({"scans": "[{image: a, gray: b}]", "real_share": 0.5}, "scans must be cord, gray, image in each source"),
        ({"scans": "[{image: a, cord: [b, c], gray: d}]", "real_share": 0.5}, "cord in scans must be one glob"),
        ({"scans": "[{image: a, cord: b, gray: c, slices: 0}]", "real_share": 0.5}, "slices in scans must be a positive whole"),
        ({"real_share": 0.5}, "scans must be a source, since real_share is above 0"),
        ({"maps": None, "scans": "[{image: a, cord: b, gray: c}]", "real_share": 0.9}, "maps .* or a real_share of 1"),
        ({"validation": "[sub-1]"}, "validation must be none, since there are no scans"),
        ({"early_stopping": "{patience: 5}"}, "validation must be subjects, since there is early_stopping"),
        ({"early_stopping": "{patience: 0}"}, "patience must be a positive whole number"),
        ({"early_stopping": "{wait: 5}"}, "early_stopping must be one of patience, min_delta; got 'wait'"),
        ({"scores": "[dice, dice]"}, r"scores must be a list of dice, mcc, each once; got \['dice', 'dice'\]"),
        ({"gpus": 0}, "gpus must be a positive whole number, or all; got 0"),
        ({"schedule": "cosine"}, "schedule name must be one of poly, constant, triangular, halve; got 'cosine'"),
        ({"schedule": "{name: halve, lowest: 1}"}, "the schedule halve must be one of factor, patience; got 'lowest'"),
        ({"schedule": "{name: triangular, lowest: 0.1}"}, "schedule lowest must be at most learning_rate, 0.001; got 0.1"),
        ({"schedule": "{name: triangular, half_cycle: 0}"}, "schedule half_cycle must be a positive whole number; got 0"),
        ({"schedule": "halve"}, "validation must be subjects, since the schedule is halve"),
        ({"unfreeze": "{}"}, "surgery must be a part of the network, since there is unfreeze"),
        ({"unfreeze": "{keep: bottleneck}"}, "unfreeze keep must be one of none, contraction, expansion; got 'bottleneck'"),
        ({"unfreeze": "{}", "surgery": "expansion", "freeze": "contraction"}, "freeze must be left out, since unfreeze says"),
        ({"name": "{"}, "is no YAML"),
    ],
)
def test_mistakes_are_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        load_recipe(write(tmp_path, **changes))


def test_perone_2017_is_literal():
    recipe = load_recipe("perone2017")
    assert recipe.network == {"name": "aspp", "filters": 32, "classes": 1, "dropout": 0.4, "momentum": 0.1}
    assert (recipe.batch, recipe.steps, recipe.epochs, recipe.crop_sizes) == (11, 32, 1000, [200])
    assert (recipe.learning_rate, recipe.decay_power, recipe.decay_by) == (0.001, 0.9, "epoch")
    assert (recipe.loss, recipe.augmentation, recipe.raters) == ({"name": "dice"}, "perone", "each")
    assert (recipe.outputs, recipe.maps, recipe.real_share) == (["gray_matter"], [], 1)
    assert recipe.preprocessing == {"spacing_mm": 0.25, "window": 200, "threshold": 0.999, "per_slice": False}
    unet = load_recipe("perone2017_unet")
    assert replace(unet, name=recipe.name, network=recipe.network) == recipe
    assert unet.network["name"] == "perone_unet2d"


def test_several_raters_and_early_stopping(tmp_path):
    changes = {"scans": "[{image: a, cord: b, gray: [c, d]}]", "real_share": 1, "maps": None, "raters": "mean"}
    recipe = load_recipe(write(tmp_path, **changes, validation="[sub-1]", early_stopping="{patience: 5, min_delta: 0.001}"))
    assert recipe.scans[0]["gray"] == ["c", "d"]
    assert recipe.early_stopping == {"patience": 5, "min_delta": 0.001}


def test_there_is_no_such_recipe(tmp_path):
    with pytest.raises(InputError, match="no recipe 'nothing'; expected a YAML file or one of: .*gm"):
        load_recipe("nothing")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(InputError, match="expected fields in the recipe .* got list"):
        load_recipe(str(tmp_path / "list.yaml"))
