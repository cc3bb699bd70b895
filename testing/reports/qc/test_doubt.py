"""Doubt about drawn cords, each with one fault."""

import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.reports.qc.doubt import LOOK_AT, judge

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
        ({"cord": without(SOUND, slice(8, 9))}, "1 slice without cord between others that have it"),
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
    assert judge({"cord": SOUND}, ["no cord can be seen in the axial slices 3-4"]).value >= LOOK_AT
    broken = cord(shift_mm=lambda z: 6.0 * (z > 9))
    assert judge({"cord": stored_as(broken, "SLP")}) == judge({"cord": broken})


def confidence(values, **more):
    look = [k for k, value in enumerate(values) if value < 0.5]
    return {"Verdict": "look" if look else "good", "Slices": values, "SlicesToLookAt": look, **more}


def test_confidence_decides_where_there_is_one():
    """A rough cord with a good confidence has no doubt; one bad slice causes doubt, and many bad slices more."""
    rough = cord(change=lambda z: 1 - 0.4 * (z == 7))
    assert judge({"cord": rough}).value >= LOOK_AT
    good, one, half = ([0.97] * 20 for _ in range(3))
    one[7], half[:10] = 0.1, [0.1] * 10
    values = [judge({"cord": rough}, confidences={"cord": confidence(slices)}).value for slices in (good, one, half)]
    assert values[0] == pytest.approx(0.03)
    assert LOOK_AT < values[1] < values[2]
    doubt = judge({"cord": rough}, confidences={"cord": confidence(one, Reason="the image shows no clear edge there")})
    assert doubt.reasons == ("cord: look at 1 of 20 axial slices (7 from below): the image shows no clear edge there",)


def test_rules_add_what_confidence_does_not_know():
    empty = without(SOUND, slice(None))
    assert judge({"cord": empty}, confidences={"cord": confidence([0.99] * 20)}).value == 1
    large = cord(12.0)
    assert judge({"cord": large}, confidences={"cord": confidence([0.99] * 20)}).value >= LOOK_AT
    ends = without(SOUND, slice(0, 4))
    slices = [0.1] * 4 + [0.99] * 16  # in slices without mask, confidence is of there being nothing
    assert judge({"cord": ends}, confidences={"cord": confidence(slices) | {"Verdict": "good"}}).value < 0.1
