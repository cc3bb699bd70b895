"""Turning to RPI and back."""

import nibabel as nib
import numpy as np
import pytest

from spineseg_cli.core.image.orientation import from_rpi, to_rpi, turned_to
from spineseg_cli.core.image.volume import Volume

DATA = np.arange(3 * 4 * 5).reshape(3, 4, 5)


def rotation(degrees_x, degrees_z):
    a, b = np.deg2rad([degrees_x, degrees_z])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return about_x @ about_z


@pytest.mark.parametrize("oblique", [np.eye(3), rotation(20, -30)], ids=["straight", "oblique"])
def test_every_storage_order_turns_to_the_same_volume_and_back(orientations, stored_as, oblique):
    affine = np.eye(4)
    affine[:3, :3] = oblique @ np.diag([-0.5, 0.7, 4.0])
    affine[:3, 3] = 10, -20, 30
    volume = Volume(DATA, affine)
    for codes in orientations:
        stored = stored_as(volume, codes)
        assert "".join(nib.aff2axcodes(stored.affine)) == codes
        turned = to_rpi(stored)
        np.testing.assert_array_equal(turned.data, DATA, err_msg=codes)
        np.testing.assert_allclose(turned.affine, affine, atol=1e-12)
        back = from_rpi(turned.data, stored)
        np.testing.assert_array_equal(back.data, stored.data, err_msg=codes)
        assert back.affine is stored.affine or np.array_equal(back.affine, stored.affine)


def test_volumes_are_turned_to_the_axes_of_another(orientations, stored_as):
    """Even where no axis is close to one of the world: between voxels, the affines decide alone."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(45, 45) @ np.diag([-0.5, 0.7, 4.0])
    volume = Volume(DATA, affine)
    for codes in orientations:
        stored = stored_as(volume, codes)
        turned = turned_to(volume, stored)
        np.testing.assert_array_equal(turned.data, stored.data, err_msg=codes)
        np.testing.assert_allclose(turned.affine, stored.affine, atol=1e-12)
        assert turned_to(stored, stored) is stored


def test_voxels_are_copied_not_shared():
    volume = Volume(DATA.copy(), np.diag([1.0, 1, 1, 1]))
    with pytest.raises(ValueError, match="read-only"):
        to_rpi(volume).data[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        volume.data[0] = 1
