"""The evaluation pipeline: orientation, slices, raters, binarization, and scans with known scores."""

import numpy as np
import pytest

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.metrics.agreement import METRICS, agreement
from spineseg_cli.metrics.evaluate import Case, binarize, evaluate, pair_up

LAS = np.diag([-0.5, 0.7, 4.0, 1.0])
RNG = np.random.default_rng(0)
PREDICTION, *REFERENCES = (RNG.random((4, 7, 8, 5)) > 0.6).astype(np.float32)
PREDICTION[..., 4] = REFERENCES[0][..., 4] = 0


def case(prediction=PREDICTION, references=(REFERENCES[0],), affine=LAS):
    names = tuple(f"r{i}" for i in range(len(references)))
    return Case("p", Volume(prediction, affine), names, tuple(Volume(r, affine) for r in references))


def test_volume_and_slices_are_the_metrics_of_the_masks():
    rows = evaluate([case()], per_slice=True).rows
    assert [(row["level"], row["slice"]) for row in rows] == [("volume", None), *(("slice", k) for k in range(5))]
    masks = PREDICTION > 0, REFERENCES[0] > 0
    whole = agreement(*masks, (0.5, 0.7, 4.0), 1.4)
    assert {name: rows[0][name] for name in METRICS} == pytest.approx(whole)
    second = agreement(*(mask[:, :, 1:2] for mask in masks), (0.5, 0.7, 4.0), 1.4)
    assert {name: rows[2][name] for name in METRICS} == pytest.approx(second)


def test_any_storage_order_gives_the_same_rows(orientations, stored_as):
    """In all 48 orders; the prediction and the reference may differ in theirs."""
    stored = case()
    expected = evaluate([stored], per_slice=True).rows
    for codes, other in zip(orientations, reversed(orientations), strict=True):
        turned = Case("p", stored_as(stored.prediction, codes), ("r0",), (stored_as(stored.references[0], other),))
        rows = evaluate([turned], per_slice=True).rows
        for row, want in zip(rows, expected, strict=True):
            assert row == pytest.approx(want, nan_ok=True), codes


def test_raters_and_their_majority():
    rows = evaluate([case(references=REFERENCES)]).rows
    assert [row["rater"] for row in rows] == ["1", "2", "3", "majority"]
    assert [row["reference"] for row in rows] == ["r0", "r1", "r2", "majority"]
    vote = (np.sum(REFERENCES, axis=0) >= 2).astype(np.float32)
    assert rows[3]["DSC"] == evaluate([case(references=(vote,))]).rows[0]["DSC"]
    assert rows[1]["DSC"] == evaluate([case(references=(REFERENCES[1],))]).rows[0]["DSC"]


def test_pairs():
    assert pair_up("AB", ["A1", "B1"]) == [("A1",), ("B1",)]
    assert pair_up("A", ["A1", "A2", "A3"]) == [("A1", "A2", "A3")]
    assert pair_up("AB", ["A1", "B1", "A2", "B2"], raters=2) == [("A1", "A2"), ("B1", "B2")]


def test_binarize():
    soft = Volume(np.array([0, 0.5, 0.50001, 1, 2], np.float32).reshape(1, 5, 1), LAS)
    np.testing.assert_array_equal(binarize(soft, "soft").ravel(), [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(binarize(soft, "soft", threshold=0.2).ravel(), [0, 1, 1, 1, 1])
    labels = Volume(np.array([0, 1, 2, 2.0004, 3], np.float32).reshape(1, 5, 1), LAS)
    np.testing.assert_array_equal(binarize(labels, "labels", label=2).ravel(), [0, 0, 1, 1, 0])
    with pytest.raises(InputError, match="expected whole numbers, to choose label 2; soft holds values 0.5 away"):
        binarize(soft, "soft", label=2)


@pytest.mark.parametrize(
    ("scan", "challenge", "large"),
    [
        ("sub-10062Ses1", 0.949, 0.978),
        ("sub-10062Ses2", 0.940, 0.950),
        ("sub-9418", 0.881, 0.897),
        ("sub-9604", 0.000, 0.235),
        ("sub-9669", 0.913, 0.943),
    ],
)
def test_published_dice(shared, scan, challenge, large):
    from spineseg_cli.core.image.nifti import read_volume

    labels = shared / "data" / "dev" / "gm_challenge" / "derivatives" / "labels"
    manual = read_volume(labels / scan / "anat" / f"{scan}_run-1_T2starw_gmseg-manual.nii.gz", kind="mask")
    for model, expected in (("challenge", challenge), ("large", large)):
        mask = read_volume(shared / "peers" / "golden" / f"{scan}_run-1_T2starw_sct-gm-{model}.nii.gz", kind="mask")
        (row,) = evaluate([Case(model, mask, ("manual",), (manual,))]).rows
        assert row["DSC"] == pytest.approx(expected, abs=0.0005), model  # published with three digits
