"""Pictures: the position of outlines, the slices that are shown, and independence of the storage order."""

import nibabel as nib
import numpy as np
import pytest
from PIL import ImageDraw
from scipy import ndimage

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.reports.pictures.scan import (
    COLORS,
    MAX_TILES,
    OTHER_COLOR,
    SAGITTAL_PX,
    TILE_PX,
    axial_mosaic,
    sagittal_picture,
)

LAS = np.diag([-0.5, 0.75, 4.0, 1.0])
OBLIQUE = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, -0.2, 0.15) @ np.diag([-0.5, 0.75, 4.0]), [12, -7, 31])
SHAPE = (60, 40, 4)  # 30 mm x 30 mm: a tile shows the slice, at 0.15625 mm a pixel
IMAGE = Volume(np.random.default_rng(0).gamma(2, 50, SHAPE).astype(np.float32), LAS)
PX_MM = 30 / TILE_PX


def box(x, y, z=slice(None), like=IMAGE):
    data = np.zeros(like.shape, np.uint8)
    data[x, y, z] = 1
    return like.with_data(data)


CORD, GRAY = box(slice(20, 40), slice(14, 26)), box(slice(25, 35), slice(18, 22))


def pixels_of(picture, color):
    return (picture == np.array(color)).all(axis=-1)


def without_labels(mosaic):
    mosaic = mosaic.copy()
    for top in range(0, mosaic.shape[0], TILE_PX):
        for left in range(0, mosaic.shape[1], TILE_PX):
            mosaic[top : top + 22, left : left + 90] = 0
    return mosaic


def test_an_outline_is_the_border_of_its_mask():
    outlined, plain = axial_mosaic(IMAGE, {"cord": CORD})
    assert outlined.shape == plain.shape == (TILE_PX, 4 * TILE_PX, 3)
    assert outlined.dtype == plain.dtype == np.uint8
    outline = pixels_of(outlined, COLORS["cord"])[:, :TILE_PX]
    rows, columns = (np.flatnonzero(outline.any(axis=axis)) for axis in (1, 0))
    middle = TILE_PX / 2
    np.testing.assert_allclose((columns[0], columns[-1] + 1), (middle - 5 / PX_MM, middle + 5 / PX_MM), atol=1)
    np.testing.assert_allclose((rows[0], rows[-1] + 1), (middle - 4.5 / PX_MM, middle + 4.5 / PX_MM), atol=1)
    filled = np.zeros_like(outline)
    filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    filled[rows[1] : rows[-1], columns[1] : columns[-1]] = False
    np.testing.assert_array_equal(outline, filled, err_msg="one pixel thin")
    changed = (outlined != plain).any(axis=-1)[:, :TILE_PX]
    assert not (changed & ~outline).any()
    assert (plain[..., 0] == plain[..., 1]).all()


def test_the_later_mask_is_on_top():
    half = box(slice(20, 30), slice(14, 26))
    outlined, _ = axial_mosaic(IMAGE, {"cord": CORD, "gray matter": half})
    gray, cord = (pixels_of(outlined, COLORS[name]) for name in ("gray matter", "cord"))
    alone, _ = axial_mosaic(IMAGE, {"cord": CORD})
    np.testing.assert_array_equal(cord, pixels_of(alone, COLORS["cord"]) & ~gray)
    assert (gray & pixels_of(alone, COLORS["cord"])).any()
    other, _ = axial_mosaic(IMAGE, {"lesion": CORD})
    assert pixels_of(other, OTHER_COLOR).any()


def test_right_is_left_and_anterior_is_up():
    data = np.zeros(SHAPE, np.float32)
    data[:30, 20:] = 1  # in RPI: right, anterior
    for image in (Volume(data, LAS), Volume(data, OBLIQUE)):
        _, plain = axial_mosaic(image, {})
        bright = plain[:, :TILE_PX, 0] > 200
        rows, columns = np.nonzero(bright)
        assert rows.mean() < TILE_PX / 2
        assert columns.mean() < TILE_PX / 2
    data = np.zeros(SHAPE, np.float32)
    data[:, 20:, 2:] = 1  # anterior, superior
    rows, columns = np.nonzero(sagittal_picture(Volume(data, LAS), {})[1][..., 0] > 200)
    assert rows.mean() < SAGITTAL_PX * 16 / 30 / 2
    assert columns.mean() < SAGITTAL_PX / 2


@pytest.mark.parametrize("draw", [axial_mosaic, sagittal_picture])
def test_any_storage_order_gives_the_same_pictures(orientations, stored_as, monkeypatch, draw):
    monkeypatch.setattr("spineseg_cli.reports.pictures.scan.SAGITTAL_PX", 200)
    image = Volume(IMAGE.data, OBLIQUE)
    masks = {"cord": image.with_data(CORD.data), "gray matter": image.with_data(GRAY.data)}
    hide = without_labels if draw is axial_mosaic else np.asarray
    expected = [hide(picture) for picture in draw(image, masks)]
    for codes in orientations:
        drawn = draw(stored_as(image, codes), {name: stored_as(mask, codes) for name, mask in masks.items()})
        np.testing.assert_array_equal([hide(picture) for picture in drawn], expected, err_msg=codes)


@pytest.fixture
def labels(monkeypatch):
    """Collect the labels of the slices of mosaics."""
    seen = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda self, xy, text, *_, **__: seen.append(text))
    return seen


@pytest.mark.parametrize(
    ("codes", "expected"),
    [("LAS", "0123"), ("SRP", "0123"), ("PIL", ["0 (file: 3)", "1 (file: 2)", "2 (file: 1)", "3 (file: 0)"])],
)
def test_slices_are_numbered_from_below_and_as_in_the_file_where_that_differs(stored_as, labels, codes, expected):
    axial_mosaic(stored_as(IMAGE, codes), {})
    assert labels == list(expected)


@pytest.mark.parametrize("masks", [{}, {"cord": box(slice(0), slice(0))}])
def test_empty_masks_show_the_center(masks):
    outlined, plain = axial_mosaic(IMAGE, masks)
    np.testing.assert_array_equal(outlined, plain)
    np.testing.assert_array_equal(plain, axial_mosaic(IMAGE, {"cord": box(slice(29, 31), slice(19, 21))})[1])
    np.testing.assert_array_equal(*sagittal_picture(IMAGE, masks))


def test_the_crop_follows_the_mask_and_holds_all_of_it():
    big = Volume(np.resize(IMAGE.data, (300, 200, 4)), LAS)
    cord = box(slice(250, 270), slice(30, 40), like=big)
    outlined, _ = axial_mosaic(big, {"cord": cord})
    rows, columns = np.nonzero(pixels_of(outlined, COLORS["cord"])[:, :TILE_PX])
    np.testing.assert_allclose((rows.mean(), columns.mean()), TILE_PX / 2, atol=1)
    speck = cord.data.copy()
    speck[10, 180, 0] = 1
    outlined, _ = axial_mosaic(big, {"cord": cord, "speck": big.with_data(speck - cord.data)})
    assert pixels_of(outlined, OTHER_COLOR).any(), "a voxel far from the rest is not cropped away, nor covered by a number"


def test_tall_scans_are_thinned_out_evenly(labels):
    tall = Volume(np.resize(IMAGE.data, (8, 8, 400)), np.diag([-1.0, 1, 1, 1]))
    axial_mosaic(tall, {})
    numbers = [int(label) for label in labels]
    assert len(numbers) == MAX_TILES
    assert (numbers[0], numbers[-1]) == (0, 399)
    assert set(np.diff(numbers)) == {10, 11}


def test_slices_about_the_masks_are_shown(labels):
    tall = Volume(np.resize(IMAGE.data, (8, 8, 400)), np.diag([-1.0, 1, 1, 1]))
    axial_mosaic(tall, {"cord": box(slice(3, 5), slice(3, 5), slice(100, 120), like=tall)})
    assert labels == [str(number) for number in range(97, 123)], "15 % beyond the mask at either end"


@pytest.mark.parametrize("shape", [(1, 1, 8), (300, 1, 2), (12, 9, 1)])
@pytest.mark.parametrize("spacing_mm", [(0.1, 0.1, 2), (3, 0.5, 0.5)])
@pytest.mark.parametrize("draw", [axial_mosaic, sagittal_picture])
def test_odd_shapes(draw, shape, spacing_mm):
    image = Volume(np.full(shape, 1e-9, np.float32), np.diag([*spacing_mm, 1]))
    for value in (0, 1):
        draw(image, {"cord": image.with_data(np.full(shape, value, np.uint8))})


def test_the_sagittal_cut_follows_a_slanted_cord():
    """The curved section shows a cord of constant width although it moves sideways, with square pixels."""
    shape = (80, 60, 20)
    line = np.zeros(shape, np.uint8)
    for k in range(2, 18):
        line[10 + 3 * k, 30, k] = 1
    image = Volume(ndimage.maximum_filter(line, (7, 1, 1)) * np.float32(100), np.diag([-1.0, 1, 2, 1]))
    outlined, plain = sagittal_picture(image, {"centerline": image.with_data(line)})
    assert outlined.shape == (round(SAGITTAL_PX * 40 / 60), SAGITTAL_PX, 3)
    drawn = pixels_of(outlined, COLORS["centerline"])
    rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
    np.testing.assert_allclose((rows[0], rows[-1] + 1), (2 * 2 * 15, 2 * 18 * 15), atol=1)
    np.testing.assert_allclose((columns[0], columns[-1] + 1), (29 * 15, 30 * 15), atol=1)
    assert (plain[75:-75, columns[7], 0] > 200).all()
