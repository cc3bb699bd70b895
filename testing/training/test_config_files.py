"""Training configurations: read, changed, based on others, and refused with the name of the field that is wrong."""

import pytest
import yaml

from spineseg_cli.errors import InputError
from spineseg_cli.training.config_files import config_names, load_config, write_config

GOOD = {"network": {"name": "unet2d", "classes": 2}, "data": {"label_maps": [{"phantom": 1}]}}
SCANS = {"labeled_scans": [{"image": "a", "cord": "b", "gray_matter": "c"}], "scan_fraction": 0.5}
VOLUMETRIC = {"network": {"name": "unet3d", "classes": 2}, "sampling": {"crop_depth": 16}}


def write(folder, name="mine", **content):
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.mark.parametrize("name", config_names())
def test_the_configurations_of_the_package(name, tmp_path):
    config = load_config(name)
    assert config.name == name
    write_config(tmp_path / "again.yaml", config)
    assert load_config(str(tmp_path / "again.yaml")) == config


def test_changes_are_data(tmp_path):
    changes = {"optimizer.epochs": 7, "network.filters": 4, "inference": {"window": 64}, "sampling.crop_sizes": [64, 72]}
    config = load_config(write(tmp_path, **GOOD), changes)
    assert (config.name, config.optimizer.epochs, config.network.as_dict) == (
        "mine", 7, {"name": "unet2d", "classes": 2, "filters": 4},
    )  # fmt: skip
    assert (config.inference.window, config.sampling.crop_sizes) == (64, (64, 72))
    assert config.with_changes({"loss": {"name": "dice"}}).loss.as_dict == {"name": "dice", "epsilon": 1.0}, "no other's options"
    assert config.with_changes({"loss.weight": 2}).loss.as_dict == {"name": "dice_cross_entropy", "weight": 2}
    with pytest.raises(InputError, match="optimizer.epochs: .*whole number|optimizer.epochs: .*valid integer"):
        load_config(write(tmp_path, **GOOD), {"optimizer.epochs": "many"})


def test_a_base(tmp_path):
    write(tmp_path, "below", **GOOD, optimizer={"epochs": 3, "batch_size": 5}, loss={"name": "dice", "epsilon": 0.5})
    above = write(tmp_path, "above", base="below.yaml", optimizer={"epochs": 4}, loss={"name": "cross_entropy"})
    config = load_config(above)
    assert (config.name, config.optimizer.epochs, config.optimizer.batch_size) == ("above", 4, 5)
    assert config.loss.as_dict == {"name": "cross_entropy"}
    assert load_config(write(tmp_path, "gm2", base="gm")).data == load_config("gm").data
    with pytest.raises(InputError, match="is its own base"):
        load_config(write(tmp_path, "loop", base="loop.yaml"))
    with pytest.raises(InputError, match="no configuration 'nothing'; expected a YAML file or one of: .*gm"):
        load_config(write(tmp_path, "lost", base="nothing"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"batches": 3}, "batches is not a field of a configuration"),
        ({"batch": 3}, r"has fields of version 0.9 or older \(batch\): write them in sections, such as optimizer.epochs"),
        ({"optimizer": {"batch": 3}}, "optimizer.batch is not a field of a configuration"),
        ({"network": None}, "network"),
        ({"data": {"label_maps": []}}, "expected data.label_maps, or a scan_fraction of 1"),
        ({"optimizer": {"batch_size": 0}}, "optimizer.batch_size: Input should be greater than 0; got 0"),
        ({"optimizer": {"epochs": 1.5}}, "optimizer.epochs: .*got 1.5"),
        ({"optimizer": {"learning_rate": -1}}, "optimizer.learning_rate: .*greater than or equal to 0; got -1"),
        ({"optimizer": {"gpus": 0}}, "optimizer.gpus"),
        ({"optimizer": {"precision": "float8"}}, "optimizer.precision: .*'mixed_float16'"),
        ({"data": {**GOOD["data"], "scan_fraction": 2}}, "data.scan_fraction: .*less than or equal to 1; got 2"),
        ({"data": {**GOOD["data"], "scan_fraction": 0.5}}, "expected data.labeled_scans, since scan_fraction is above 0"),
        ({"data": {**SCANS, "scan_fraction": 0.9}}, "expected data.label_maps, or a scan_fraction of 1"),
        ({"data": {"label_maps": [{"cord": "a.nii"}]}}, "data.label_maps.0 needs cord and gray_matter, or a generated source"),
        ({"data": {"label_maps": [{"cord": ["a", "b"]}]}}, "data.label_maps.0.cord: .*string"),
        ({"data": {**GOOD["data"], "labeled_scans": [{"image": "a", "gray_matter": "b"}]}}, "data.labeled_scans.0 needs cord"),
        ({"data": {**GOOD["data"], **SCANS, "raters": "best"}}, "data.raters: .*'each' or 'mean'"),
        ({"network": {"name": "vnet", "classes": 2}}, "network: expected one of aspp, unet2d, "),
        ({"network": {"name": "unet2d", "classes": 1}}, "the network has 1 classes, and there are 2 outputs"),
        ({"outputs": ["cord", "brain"]}, "outputs.1: .*gray_matter, cord; got 'brain'"),
        ({"loss": "hinge"}, "loss: expected one of dice, .*focal_tversky"),
        ({"loss": {"name": "dice", "gamma": 1}}, "loss: dice has no option gamma; expected epsilon"),
        ({"loss": {"name": "tversky", "alpha": "much"}}, "expected a number of 0 or more as alpha; got 'much'"),
        ({"loss": {"name": "focal_tversky", "gamma": 0}}, "the loss needs a gamma above 0"),
        ({"augmentation": {"profile": "strong"}}, "augmentation.profile: expected one of default, recolored, "),
        ({"augmentation": {"mirror": "often"}}, "augmentation.mirror: .*boolean; got 'often'"),
        ({"sampling": {"crop_sizes": [100]}}, "sampling.crop_sizes must be multiples of 8, at most 320; got 100"),
        ({"sampling": {"crop_sizes": [328]}}, "sampling.crop_sizes must be multiples of 8, at most 320; got 328"),
        ({"sampling": {"crop_depth": 16}}, "sampling.crop_depth must be even for a 3-D network, 0 for others; got 16"),
        ({"sampling": {"contrasts": {"t3": 1}}}, "sampling.contrasts.t3.*expected one of t2s, t2, t1, "),
        ({"sampling": {"contrasts": {"t2": 0}}}, "expected a contrast with a weight above 0"),
        ({"sampling": {"patch_overlap": 1}}, "sampling.patch_overlap: .*less than 1; got 1"),
        ({**VOLUMETRIC, "augmentation": {"intensity_jitter": 0.2}}, "augmentation.intensity_jitter must be 0 for a 3-D network"),
        ({**VOLUMETRIC, "sampling": {"crop_depth": 15}}, "sampling.crop_depth must be even"),
        (
            {**VOLUMETRIC, "data": {**GOOD["data"], "labeled_scans": [{**SCANS["labeled_scans"][0], "max_slices": 9}]}},
            "leave out max_slices for a 3-D network",
        ),
        ({"inference": {"size": 3}}, r"inference: .*\['size'\].*a configuration may set spacing_mm, "),
        ({"inference": {"outline_probability": 1}}, "inference: impossible values: outline_probability 1"),
        ({"inference": {"per_slice": False}}, "per_slice: false .* expected one of perone, kumar, none"),
        (
            {"inference": {"normalization": "minmax", "per_slice": False}, "augmentation": {"profile": "none"}},
            "minmax scales each",
        ),
        ({"validation": {"subjects": ["sub-1"]}}, "there are no data.labeled_scans to validate on"),
        ({"validation": {"early_stopping": {"patience": 5}}}, "validation: early_stopping needs validation subjects"),
        ({"validation": {"early_stopping": {"wait": 5}}}, "validation.early_stopping.wait is not a field|patience is missing"),
        ({"validation": {"metrics": ["dice", "dice"]}}, "validation: expected each of the metrics once"),
        ({"optimizer": {"schedule": "cosine"}}, "optimizer.schedule: expected one of poly, constant, triangular, "),
        ({"optimizer": {"schedule": {"name": "constant", "lowest": 1}}}, "constant has no option lowest; expected none"),
        ({"optimizer": {"schedule": {"name": "triangular", "lowest": 0.1}}}, "lowest rate must be at most the learning_rate"),
        ({"optimizer": {"schedule": {"name": "triangular", "half_cycle": 0}}}, "a positive whole number as half_cycle; got 0"),
        ({"optimizer": {"schedule": "reduce_on_plateau"}}, "the schedule reduce_on_plateau needs validation subjects"),
        ({"surgery": {"second_phase": {}}}, "surgery: a second_phase needs a part of the network to reinitialize"),
        ({"surgery": {"reinitialize": "both", "freeze": "decoder"}}, "would leave layers untrained for ever"),
        ({"surgery": {"reinitialize": "decoder", "freeze": "encoder", "second_phase": {}}}, "leave out freeze"),
    ],
)
def test_mistakes_are_named(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as error:
        load_config(write(tmp_path, **{**GOOD, **content}))
    assert str(error.value).startswith("the configuration ")
    assert "\n" not in str(error.value)


def test_what_is_not_a_configuration(tmp_path):
    (tmp_path / "broken.yaml").write_text("name: {")
    (tmp_path / "list.yaml").write_text("- 1")
    for name, message in (
        ("nothing", "no configuration 'nothing'; expected a YAML file or one of: .*gm"),
        (str(tmp_path / "broken.yaml"), "is not YAML"),
        (str(tmp_path / "list.yaml"), "expected fields in the configuration .* got list"),
    ):
        with pytest.raises(InputError, match=message):
            load_config(name)


def test_perone_2017_is_literal():
    config, unet = load_config("perone2017"), load_config("perone2017_unet")
    assert config.network.as_dict == {"name": "aspp", "filters": 32, "classes": 1, "dropout": 0.4, "momentum": 0.1}
    optimizer, inference = config.optimizer, config.inference
    assert (optimizer.batch_size, optimizer.steps_per_epoch, optimizer.epochs, optimizer.learning_rate) == (11, 32, 1000, 0.001)
    assert optimizer.schedule.as_dict == {"name": "poly", "power": 0.9, "per": "epoch"}
    assert (config.loss.name, config.augmentation.profile, config.data.raters) == ("dice", "perone", "each")
    assert (inference.spacing_mm, inference.window, inference.threshold, inference.per_slice) == (0.25, 200, 0.999, False)
    assert unet.network.name == "perone_unet2d"
    assert unet.with_changes({"name": config.name, "network": config.network.as_dict}, replaced=("network",)) == config
