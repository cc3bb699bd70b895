"""Weights files: the metadata, the registry's sums, and what does not fit."""

import json
import shutil

import h5py
import numpy as np
import pytest

from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.inference.config import PUBLISHED_CENTERLINE, PUBLISHED_GRAY_MATTER, InferenceConfig
from spineseg_cli.errors import WeightsError
from spineseg_cli.weights import find
from spineseg_cli.weights.files import METADATA_ATTRIBUTE, attach_tflite, metadata_of, read_model, tflite_path, write_model
from spineseg_cli.weights.find import find_custom, find_model
from spineseg_cli.weights.registry import model_names, models_folder, registry


@pytest.fixture
def copy(tiny_weights, tmp_path):
    return shutil.copy(tiny_weights, tmp_path / "copy.weights.h5")


def change_card(path, **changes):
    with h5py.File(path, "a") as file:
        metadata = json.loads(file.attrs[METADATA_ATTRIBUTE])
        file.attrs[METADATA_ATTRIBUTE] = json.dumps({**metadata, **changes})


def test_card_and_weights_travel_together(tmp_path):
    from spineseg_cli.networks import build_network

    options = {"name": "aspp", "filters": 2, "classes": 2}
    steps = InferenceConfig(spacing_mm=0.5, window=40, threshold=0.3, per_slice=False)
    network = build_network(**options)
    path = tmp_path / "mine.weights.h5"
    written = write_model(network, path, options, ("cord", "gray_matter"), steps)
    model = read_model(path)
    assert written == model
    assert (model.name, model.network, model.outputs) == ("mine", options, ("cord", "gray_matter"))
    assert (model.config, model.legacy, model.tflite) == (steps, False, None)
    for written, read in zip(network.get_weights(), model.load_network().get_weights(), strict=True):
        np.testing.assert_array_equal(written, read)


def test_shipped_models_are_whole():
    assert model_names("gm")[0] == "gm"
    assert {"gray_matter", "cord"} <= set(find_model("gm").outputs)
    for name in registry():
        model = find_model(name)
        assert model.name == name
        assert model.path.is_relative_to(models_folder())
        assert metadata_of(model) == metadata_of(read_model(model.path)), "the registry says what the weights say"


def attach(path):
    with h5py.File(path, "a") as file:
        attach_tflite(file, tflite_path(path))


def test_a_tflite_export_travels_with_its_weights(copy, tmp_path):
    tflite_path(copy).write_bytes(b"converted")
    assert read_model(copy).tflite is None, "a file of the right name is not enough"
    attach(copy)
    assert read_model(copy).tflite == tmp_path / "copy.tflite"
    assert read_model(copy).load_network() is not None
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    alone = shutil.copy(copy, moved / "copy.weights.h5")
    assert read_model(alone).tflite is None
    shutil.copy(tflite_path(copy), moved)
    assert read_model(alone).tflite == moved / "copy.tflite"


@pytest.mark.parametrize("change", ["export", "export gone", "weights", "metadata", "written again", "other weights"])
def test_a_stale_export_is_not_used(copy, tiny_weights, tmp_path, change):
    tflite_path(copy).write_bytes(b"converted")
    attach(copy)
    model = read_model(copy)
    if change == "export":
        model.tflite.write_bytes(b"CONVERTED")
    elif change == "export gone":
        model.tflite.unlink()
    elif change == "weights":
        with h5py.File(copy, "a") as file:
            names = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            file[names[0]][...] += 1e-3
    elif change == "metadata":
        change_card(copy, outputs=["cord", "gray_matter"])
    elif change == "written again":
        write_model(model.load_network(), copy, model.network, model.outputs, model.config)
    else:
        shutil.copy(tiny_weights, copy)
    assert read_model(copy).tflite is None


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_shipped_model_is_refused(monkeypatch, tmp_path, copy, tiny_weights, damage):
    entry = {"tiny": {"task": "gm", "file": "copy.weights.h5", "sha256": file_sha256(tiny_weights)}}
    monkeypatch.setattr(find, "registry", lambda: entry)
    monkeypatch.setattr(find, "models_folder", lambda: tmp_path)
    assert find_custom("tiny", "cord").name == "tiny"
    if damage == "changed":
        change_card(copy, outputs=["cord"])
    elif damage == "cut":
        copy.write_bytes(copy.read_bytes()[:-100])
    else:
        copy.unlink()
    with pytest.raises(WeightsError, match="weights of 'tiny' are damaged.*reinstall"):
        find_model("tiny")


def test_names_and_outputs(copy, tmp_path, monkeypatch):
    (tmp_path / "gm").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_custom("gm", "cord").name == "gm", "a folder is not a weights file"
    with pytest.raises(WeightsError, match=r"no model 'nothing'; expected a weights file, or one of: .*gm"):
        find_custom("nothing", "cord")
    with pytest.raises(WeightsError, match="expected weights that predict lesion; .* predict gray_matter, cord"):
        find_custom(str(copy), "lesion")
    with pytest.raises(WeightsError, match="no weights file"):
        read_model(tmp_path / "gm")
    with pytest.raises(WeightsError, match=r"name ends in .weights.h5; got 'copy.h5': rename it"):
        read_model(copy.rename(tmp_path / "copy.h5"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inference": {"sharpen": 1}}, r"settings \['sharpen'\] that this version does not know: update"),
        ({"inference": {"normalization": "log"}}, r"settings \['normalization log'\] that this version does not know: update"),
        ({"inference": None}, "metadata .* is damaged"),
        ({"network": 3}, "metadata .* is damaged"),
        ({"inference": [1]}, "metadata .* is damaged"),
        ({"inference": {"spacing_mm": "x", "half": 0}}, "metadata .* is damaged .*impossible spacing_mm, outline_probability"),
        ({"inference": {"mirror": 1, "sharpness": -1.0}}, "metadata .* is damaged .*impossible mirror, logit_scale"),
    ],
)
def test_cards_that_cannot_be_read(copy, changes, message):
    change_card(copy, **changes)
    with pytest.raises(WeightsError, match=message):
        read_model(copy)


def test_files_that_are_no_weights(tmp_path, copy):
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(WeightsError, match="expected weights in HDF5 .* damaged or something else"):
        read_model(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    with pytest.raises(WeightsError, match="has no spineseg metadata, and is not a published gray-matter"):
        read_model(tmp_path / "other.h5")
    with h5py.File(copy, "a") as file:
        file.attrs[METADATA_ATTRIBUTE] = "{"
    with pytest.raises(WeightsError, match="metadata .* is damaged"):
        read_model(copy)


@pytest.mark.parametrize("network", [{"filters": 4}, {"depth": 2}, {"wings": 2}, {"name": "aspp"}])
def test_weights_that_do_not_fit_their_card(copy, network):
    options = {**read_model(copy).network, **network}
    if options["name"] == "aspp":
        options = {"name": "aspp", "filters": 2, "classes": 2}
    change_card(copy, network=options)
    with pytest.raises(WeightsError, match="do not fit the network") as caught:
        read_model(copy).load_network()
    assert "\n" not in str(caught.value)


def test_published_files(shared):
    model = read_model(shared / "peers" / "sct_gm" / "challenge_model.hdf5")
    assert (model.network, model.outputs, model.legacy) == ({"name": "aspp", "filters": 32}, ("gray_matter",), True)
    assert model.config == PUBLISHED_GRAY_MATTER
    model = read_model(shared / "peers" / "sct_centerline" / "t2s_ctr.h5")
    assert (model.network["name"], model.outputs, model.legacy) == ("centerline_unet", ("centerline",), True)
    assert model.config == PUBLISHED_CENTERLINE


def test_published_files_of_other_networks(tmp_path):
    """Among them a U-Net without dilations, whose layers have the names of the centerline network's."""
    path = tmp_path / "other.h5"
    for config in ("", json.dumps({"layers": [{"dilation_rate": [1, 1]}] * 11})):
        with h5py.File(path, "w") as file:
            file.attrs.update({"keras_version": "2.0.6", "model_config": config, "layer_names": [b"input_1", b"conv2d_1"]})
        with pytest.raises(WeightsError, match=r"expected the gray-matter network of Perone et al. .* holds 2 layers without"):
            read_model(path)
