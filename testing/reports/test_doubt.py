"""What is doubted, and what is not: drawn cords, each with one fault."""

import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.reports.doubt import LOOK_AT, judge

AFFINE = np.diag([-0.5, 0.5, 2.5, 1.0])
SHAPE = (80, 80, 20)


def cord(radius_mm=5.0, shift_mm=lambda z: 0 * z, change=lambda z: 1 + 0 * z):
    x, y, z = np.indices(SHAPE).astype(float)
    radius = radius_mm * np.sqrt(change(z))
    return Volume((np.hypot((x - 40) * 0.5 - shift_mm(z), (y - 40) * 0.5) < radius).astype(np.uint8), AFFINE)


def without(mask, slices):
    data = mask.data.copy()
    data[:, :, slices] = 0
    return mask.with_data(data)


SOUND = cord(shift_mm=lambda z: 0.3 * np.sin(z / 4), change=lambda z: 1 + 0.2 * np.sin(z / 5))


def test_a_sound_cord_is_not_doubted():
    doubt = judge({"cord": SOUND, "gray matter": cord(2.0)})
    assert doubt.value < 0.3
    assert doubt.reasons == ()


@pytest.mark.parametrize(
    ("masks", "reason"),
    [
        ({"cord": without(SOUND, slice(None))}, "no cord found"),
        ({"centerline": without(SOUND, slice(None))}, "no centerline found"),
        ({"cord": without(SOUND, slice(8, 11))}, "3 slices without cord between others that have it"),
        ({"cord": cord(1.5)}, "is no cord's"),
        ({"cord": cord(12.0)}, "is no cord's"),
        ({"cord": cord(shift_mm=lambda z: 6.0 * (z > 9))}, "the mask moves by 6.0 mm from slice 9 to 10 from below"),
        ({"cord": cord(change=lambda z: 1 - 0.6 * (z == 7))}, "the area changes by 6"),
        ({"cord": cord(shift_mm=lambda z: 16.0 + 0 * z)}, "touches the border of the image"),
        ({"cord": SOUND, "gray matter": without(SOUND, slice(None))}, "no gray matter found"),
        ({"cord": SOUND, "gray matter": cord(4.5)}, "gray matter takes"),
        ({"cord": SOUND, "gray matter": without(cord(2.0), slice(0, 9))}, "9 slices of the cord have no gray matter"),
    ],
)
def test_faults(masks, reason):
    doubt = judge(masks)
    assert doubt.value >= LOOK_AT
    assert any(reason in said for said in doubt.reasons), doubt.reasons


def test_what_the_pipeline_said_counts_and_storage_does_not(stored_as):
    assert judge({"cord": SOUND}, ["no cord can be seen in the axial slices 3 to 4"]).value >= LOOK_AT
    broken = cord(shift_mm=lambda z: 6.0 * (z > 9))
    assert judge({"cord": stored_as(broken, "SLP")}) == judge({"cord": broken})
