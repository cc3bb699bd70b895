"""Test-time augmentation: every copy's prediction comes back to where it belongs."""

import numpy as np

from spineseg_cli.core.inference.tta import VIEWS, predict_augmented, predict_mirrored


class Pointwise:
    """A network that looks at single samples: turning its input turns its output."""

    def __init__(self):
        self.calls = []

    def predict(self, windows):
        self.calls.append(windows)
        return np.stack([windows, 1 - windows], axis=-1).astype(np.float32)


def test_a_pointwise_network_gains_nothing():
    x, y = np.meshgrid(*[np.arange(64) - 31.5] * 2, indexing="ij")
    windows = np.stack([np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 50) for cx, cy in ((12, -8), (-5, 10))]).astype(np.float32)
    runtime = Pointwise()
    mean = predict_augmented(runtime, windows)
    assert mean.dtype == np.float32
    # Reading between samples twice flattens a peak 5 samples wide by a few per cent.
    np.testing.assert_allclose(mean[..., 0], windows, atol=0.03)
    np.testing.assert_allclose(mean[..., 1], 1 - windows, atol=0.03)
    assert len(runtime.calls) == VIEWS + 2
    spread = [np.abs(call - windows).max() for call in runtime.calls[1:]]
    assert min(spread) > 0.05, "each copy differs"


def test_the_copies_are_the_same_each_time():
    windows = np.random.default_rng(0).random((2, 20, 20)).astype(np.float32)
    np.testing.assert_array_equal(predict_augmented(Pointwise(), windows), predict_augmented(Pointwise(), windows))


def test_a_mirrored_window_gets_the_mirrored_prediction(stub):
    windows = np.random.default_rng(0).random((2, 20, 20)).astype(np.float32)
    plain, mirrored = (predict_mirrored(stub, part) for part in (windows, windows[:, ::-1]))
    np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=1e-6)
    assert np.abs(stub.predict(windows[:, ::-1]) - stub.predict(windows)[:, ::-1]).max() > 0.1, "the network alone has sides"
