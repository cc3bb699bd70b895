"""Single transforms of a crop."""

import numpy as np

from spineseg_cli.training.data import transforms


def test_recoloring_keeps_edges_and_not_order():
    image = np.repeat([0.1, 0.4, 0.7, 1.0], 25).reshape(10, 10).astype(np.float32)
    recolored = [transforms.recolor(image, np.random.default_rng(seed)) for seed in range(8)]
    for new in recolored:
        assert new.dtype == np.float32
        for value in np.unique(image):
            assert np.ptp(new[image == value]) == 0
    assert any(np.diff([new[image == value][0] for value in np.unique(image)]).min() < 0 for new in recolored)


def test_a_mask_leaves_what_is_near_the_center():
    image = np.random.default_rng(0).uniform(1, 2, (80, 80)).astype(np.float32)
    for seed in range(6):
        kept = transforms.masked(image, 1.0, np.random.default_rng(seed)) == image
        assert kept[40, 40]
        assert 100 < kept.sum() < image.size
        assert len(np.unique(transforms.masked(image, 1.0, np.random.default_rng(seed))[~kept])) == 1


def test_turning_moves_image_and_labels_alike_and_shrinks_both():
    x, y = np.meshgrid(*[np.arange(128) - 63.5] * 2, indexing="ij")
    image = (np.hypot(x - 20, y) < 10).astype(np.float32)
    for seed in range(6):
        turned, target = transforms.turned(image, image[..., None], 64, np.random.default_rng(seed))
        assert turned.shape == (64, 64)
        np.testing.assert_array_equal(turned, target[..., 0])
        scale = np.sqrt(turned.sum() / image.sum())
        grids = np.meshgrid(*[np.arange(64) - 31.5] * 2, indexing="ij")
        center = np.array([(grid * turned).sum() / turned.sum() for grid in grids])
        np.testing.assert_allclose(np.hypot(*center), 20 * scale, rtol=0.03)
        assert 0.49 < scale < 1
        assert abs(np.degrees(np.arctan2(*center[::-1]))) < 61
