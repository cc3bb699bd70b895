"""The centerline network: its layers are those of the published files, and it finds the cord with their weights."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from scipy.ndimage import center_of_mass, distance_transform_edt

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.errors import WeightsError
from spineseg_cli.networks import build_network
from spineseg_cli.networks.legacy import load_legacy_weights
from spineseg_cli.weights.files import read_model

pytestmark = pytest.mark.usefixtures("tensorflow")

# Published file, its options, and its parameters.
PUBLISHED = [("t2", 16, 2, 118_033), ("t2s", 8, 3, 39_337), ("dwi", 8, 2, 29_961)]


@pytest.mark.parametrize(("filters", "dilations", "parameters"), [case[1:] for case in PUBLISHED])
def test_parameters_and_dilations(filters, dilations, parameters):
    from spineseg_cli.networks import centerline_unet

    network = build_network("centerline_unet", filters=filters, dilations=dilations)
    assert network.count_params() == parameters
    assert f"{parameters:,}" in centerline_unet.__doc__
    rates = [layer.dilation_rate[0] for layer in network.layers if type(layer).__name__ == "Conv2D"]
    assert rates == [1, 2, 1, 2, 1, 2, 4][: 4 + dilations] + [1] * 5


@pytest.mark.parametrize("shape", [(4, 4), (80, 80), (12, 40)])
def test_any_multiple_of_4(shape):
    network = build_network("centerline_unet", filters=2, dilations=4)
    assert network(np.zeros((1, *shape, 1), np.float32)).shape == (1, *shape, 1)


@pytest.mark.parametrize(("contrast", "filters", "dilations", "parameters"), PUBLISHED)
def test_published_weights_keep_their_place(shared, contrast, filters, dilations, parameters):
    path = shared / "peers" / "sct_centerline" / f"{contrast}_ctr.h5"
    model = read_model(path)
    assert model.network == {"name": "centerline_unet", "filters": filters, "dilations": dilations}
    assert (model.outputs, model.legacy) == (("centerline",), True)
    assert (model.config.spacing_mm, model.config.window) == (0.5, 80)
    network = model.load_network()
    assert network.count_params() == parameters
    with h5py.File(path, "r") as file:
        stored = file["model_weights"]
        for own, name in (
            ("contraction_2", "conv2d_2/conv2d_2/kernel:0"),
            ("expansion_up_2", "conv2d_transpose_2/conv2d_transpose_2/kernel:0"),
            ("predictions", f"conv2d_{9 + dilations}/conv2d_{9 + dilations}/kernel:0"),
        ):
            np.testing.assert_array_equal(network.get_layer(own).get_weights()[0], stored[name])


def test_published_weights_do_not_fit_others(shared):
    peers = shared / "peers"
    network = build_network("centerline_unet", filters=8, dilations=2)
    with pytest.raises(WeightsError, match="23 layers .* 25 others"):
        load_legacy_weights(network, peers / "sct_centerline" / "t2s_ctr.h5")
    with pytest.raises(WeightsError, match=r"does not fit the network: layer conv2d_1 has shapes .*16.*, expected .*8"):
        load_legacy_weights(network, peers / "sct_centerline" / "t2_ctr.h5")
    with pytest.raises(WeightsError, match="23 layers .* 32 others"):
        load_legacy_weights(network, peers / "sct_gm" / "challenge_model.hdf5")


def cases(shared):
    """A contrast, a scan and its cord mask."""
    small = shared / "data" / "dev" / "pam50_small"
    yield "t2", small / "PAM50_small_t2.nii.gz", small / "PAM50_small_cord.nii.gz"
    challenge = shared / "data" / "dev" / "gm_challenge"
    scan = "sub-9604/anat/sub-9604_run-1_T2starw"
    yield "t2s", challenge / f"{scan}.nii.gz", challenge / "derivatives" / "labels" / f"{scan}_seg-manual.nii.gz"


def deepest_point(heat):
    """The point furthest inside the region above one half: the heat is flat there, so that its maximum says little."""
    depth = distance_transform_edt(heat > 0.5)
    return np.argwhere(depth == depth.max()).mean(axis=0)


def test_published_weights_find_the_cord(shared):
    """In windows of 60 mm whose centers are up to 15 mm off the cord's, on scans standardized as a whole."""
    for contrast, scan, mask in cases(shared):
        image, cord = to_rpi(read_volume(scan)), to_rpi(read_volume(mask))
        slices = np.flatnonzero(cord.data.any(axis=(0, 1)))
        slices = slices[:: max(1, len(slices) // 10)]
        inplane_mm = np.array(image.spacing_mm[:2])
        centers_vx = np.zeros((image.shape[2], 2))
        centers_vx[slices] = [center_of_mass(cord.data[:, :, k]) for k in slices]
        offsets_mm = np.random.default_rng(0).uniform(-15, 15, centers_vx.shape)

        model = read_model(shared / "peers" / "sct_centerline" / f"{contrast}_ctr.h5")
        steps = replace(model.config, window=120)
        windows = steps.windows(image, centers_vx + offsets_mm / inplane_mm)
        samples = steps.standardize(windows.extract(image.data, slices), windows.inside(slices))
        heat = np.asarray(model.load_network()(samples[..., None]))[..., 0]

        found_mm = np.array([deepest_point(part) for part in heat]) + windows.starts[slices]
        off_mm = np.linalg.norm(found_mm * steps.spacing_mm - centers_vx[slices] * inplane_mm, axis=1)
        assert np.mean(off_mm < 5) > 0.9, (scan.name, off_mm)
        assert np.median(off_mm) < 1.5, (scan.name, off_mm)
