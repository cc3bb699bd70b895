"""Overlap metrics: by hand, and against independent formulas on random masks."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import distance

from spineseg_cli.metrics import overlap

PAIRS = hnp.array_shapes(min_dims=3, max_dims=3, max_side=6).flatmap(
    lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape))
)


def test_by_hand():
    c = overlap.confusion(np.array([1, 1, 1, 0, 0, 0, 0, 0], bool), np.array([1, 0, 0, 1, 0, 0, 0, 0], bool))
    assert c == overlap.Confusion(tp=1, fp=2, fn=1, tn=4)
    assert overlap.dice(c) == 2 / 5
    assert overlap.jaccard(c) == 1 / 4
    assert overlap.conformity_pct(c) == pytest.approx(100 * (3 * 0.4 - 2) / 0.4)
    assert overlap.tpr_pct(c) == 50
    assert overlap.ppv_pct(c) == pytest.approx(100 / 3)
    assert overlap.tnr_pct(c) == pytest.approx(100 * 4 / 6)
    assert overlap.accuracy_pct(c) == 62.5
    assert overlap.mcc(c) == pytest.approx((1 * 4 - 2 * 1) / math.sqrt(3 * 2 * 6 * 5))
    assert overlap.volume_difference_mm3(c, voxel_mm3=0.5) == 0.5
    assert overlap.volume_difference_pct(c) == 50


@given(PAIRS)
def test_agrees_with_scipy_and_pearson(pair):
    prediction, reference = pair
    assume(prediction.any() and reference.any())
    c = overlap.confusion(prediction, reference)
    assert overlap.dice(c) == pytest.approx(1 - distance.dice(prediction.ravel(), reference.ravel()), abs=1e-12)
    assert overlap.jaccard(c) == pytest.approx(1 - distance.jaccard(prediction.ravel(), reference.ravel()), abs=1e-12)
    assert overlap.tpr_pct(c) == pytest.approx(100 * prediction[reference].mean())
    assert overlap.ppv_pct(c) == pytest.approx(100 * reference[prediction].mean())
    assert overlap.accuracy_pct(c) == pytest.approx(100 * (prediction == reference).mean())
    if not prediction.all() and not reference.all():  # MCC is Pearson's correlation of the two masks where that is defined
        assert overlap.mcc(c) == pytest.approx(np.corrcoef(prediction.ravel(), reference.ravel())[0, 1], abs=1e-12)
        assert overlap.tnr_pct(c) == pytest.approx(100 * (~prediction)[~reference].mean())


@given(PAIRS)
def test_ranges_and_relations(pair):
    c = overlap.confusion(*pair)
    assume(not c.both_empty)
    dsc, ji = overlap.dice(c), overlap.jaccard(c)
    assert 0 <= ji <= dsc <= 1
    assert ji == pytest.approx(dsc / (2 - dsc))
    assert -1 <= overlap.mcc(c) <= 1
    if dsc:
        assert overlap.conformity_pct(c) == pytest.approx(100 * (3 * dsc - 2) / dsc)


def test_mcc_of_counts_whose_product_overflows_64_bits():
    c = overlap.Confusion(tp=10**6, fp=10**6, fn=10**6, tn=10**9)
    assert overlap.mcc(c) == pytest.approx(0.5, abs=0.001)
