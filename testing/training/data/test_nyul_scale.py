"""The Nyul scale of a run, which is learned and applied in the windows that the commands read."""

import numpy as np
import pytest

from spineseg_cli.core.image.nyul import PERCENTILES, foreground_landmarks, to_standard_scale
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.errors import InputError
from spineseg_cli.training.data.crops import CropBatches, validation_crops
from spineseg_cli.training.data.labeled_slices import ScanSlice
from spineseg_cli.training.data.nyul_scale import learn_landmarks, on_nyul_scale
from testing.training.runs import CONFIG

WINDOW = 16


def scan(seed, gain=1.0):
    """Two slices with a bright rim outside of the window, and padding."""
    rng = np.random.default_rng(seed)
    images = gain * rng.gamma(2 + seed, 30, (2, 32, 32)).astype(np.float32)
    images[:, :5] = images[:, -5:] = 1e5
    inside = np.ones((32, 32), bool)
    inside[10:12] = False
    images[:, 10:12] = -1e5
    return [ScanSlice(image, (), np.ones((32, 32), np.float32), 0.5, 2.0 * k, inside) for k, image in enumerate(images)]


def seen(slices):
    """Return the window that a command cuts."""
    stack = np.stack([part.image for part in slices])[:, 8:24, 8:24]
    inside = np.stack([part.inside for part in slices])[:, 8:24, 8:24]
    return stack, inside


def test_training_sees_what_the_commands_see():
    standard = learn_landmarks([scan(1), scan(2)], WINDOW)
    assert len(standard) == len(PERCENTILES)
    assert standard == pytest.approx(learn_landmarks([scan(1, gain=9.0), scan(2)], WINDOW), rel=1e-4)
    steps = InferenceConfig(spacing_mm=0.5, window=WINDOW, landmarks=standard)
    ready = on_nyul_scale(scan(3), steps)
    stack, inside = seen(scan(3))
    np.testing.assert_allclose(seen(ready)[0], to_standard_scale(stack, standard, inside), rtol=1e-4, atol=1e-3)
    # Standardized, they are the commands' input, but for the padding that standardization leaves out there.
    whole = [ScanSlice(part.image, (), part.cord) for part in scan(3)]
    config = CONFIG.with_changes({"sampling.crop_sizes": [WINDOW], "inference": steps.to_dict()})
    cut, _ = validation_crops(config, [whole])
    everywhere = np.ones((2, WINDOW, WINDOW), bool)
    np.testing.assert_allclose(cut[..., 0], steps.standardize(seen(scan(3))[0], everywhere), atol=1e-3)


def test_without_landmarks_nothing_changes():
    slices = scan(1)
    ready = on_nyul_scale(slices, InferenceConfig(window=WINDOW))
    assert all(a is b for a, b in zip(slices, ready, strict=True))
    assert on_nyul_scale([], InferenceConfig(window=WINDOW, landmarks=[float(n) for n in range(11)])) == []


def test_a_scan_standardized_as_a_whole_stays_so():
    steps = InferenceConfig(window=WINDOW, landmarks=learn_landmarks([scan(1)], WINDOW), per_slice=False)
    ready = on_nyul_scale(scan(2), steps)
    values = np.stack([part.image for part in ready])[np.stack([part.inside for part in ready])]
    assert (values.mean(), values.std()) == (pytest.approx(0, abs=1e-3), pytest.approx(1, abs=1e-3))


def test_synthetic_crops_come_on_it_too(monkeypatch):
    image = np.random.default_rng(0).gamma(2, 3, (32, 32)).astype(np.float32)
    target = np.zeros((32, 32, 2), np.float32)
    monkeypatch.setattr("spineseg_cli.training.data.crops.synthesize", lambda *_, **__: (image, target))
    standard = learn_landmarks([scan(1)], WINDOW)
    changes = {"optimizer.batch_size": 1, "sampling.crop_sizes": [32], "inference.landmarks": standard}
    batches = CropBatches(CONFIG.with_changes(changes), [[None]], [])
    expected = InferenceConfig(landmarks=standard).standardize(image[None], np.ones((1, 32, 32), bool))
    np.testing.assert_array_equal(batches.make(0, 0)[0][0, ..., 0], expected[0])
    assert foreground_landmarks(expected) is not None


def test_flat_scans_are_refused():
    flat = [ScanSlice(np.zeros((32, 32), np.float32), (), np.ones((32, 32), np.float32))]
    for scans in ([flat], [], [[]]):
        with pytest.raises(InputError, match="expected scans with light and dark in them"):
            learn_landmarks(scans, WINDOW)
