"""Sections of the brainstem: plausible sizes, nested tissues, and reproducible from the seed."""

from __future__ import annotations

import numpy as np
import pytest

from spineseg_cli.synthesis.brainstem import brainstem_sections
from spineseg_cli.synthesis.generator import SPACING_MM
from spineseg_cli.synthesis.scanner import Tissue


@pytest.fixture(scope="module")
def sections():
    return brainstem_sections(30, seed=3)


def test_shapes_and_types(sections):
    for *fractions, surroundings in sections:
        for fraction in fractions:
            assert fraction.shape == (320, 320)
            assert fraction.dtype == np.float32
            assert fraction.min() >= 0
            assert fraction.max() <= 1
        assert surroundings.shape == (320, 320)
        assert surroundings.dtype == np.uint8
        assert surroundings.max() <= max(Tissue)


def test_nuclei_lie_in_the_brainstem_and_that_in_the_canal(sections):
    for brainstem, nuclei, canal, _ in sections:
        assert (nuclei <= brainstem).all()
        assert (brainstem <= canal).all()
        assert brainstem[160, 150:170].max() == 1


def test_brainstem_has_the_size_of_a_child_s_to_an_adult_s(sections):
    for brainstem, _, _, _ in sections:
        width_mm, depth_mm = (np.ptp(np.nonzero(brainstem > 0.5)[axis]) * SPACING_MM for axis in (0, 1))
        assert 9 * 0.7 < width_mm < 34 * 1.15
        assert 6.5 * 0.7 < depth_mm < 26 * 1.15


def test_some_sections_have_no_nuclei_and_most_have_csf(sections):
    assert 5 <= sum(not nuclei.any() for _, nuclei, _, _ in sections) <= 25
    assert sum((canal - brainstem).sum() * SPACING_MM**2 > 50 for brainstem, _, canal, _ in sections) > 20


def test_vessels_show_through_the_canal_s_holes(sections):
    shown = [((surroundings == Tissue.VESSEL) & (canal < 0.1))[80:240, 80:240].any() for *_, canal, surroundings in sections]
    assert sum(shown) > 20


def test_sections_depend_on_the_seed_alone():
    first, longer, other = brainstem_sections(1, 5, 200), brainstem_sections(2, 5, 200), brainstem_sections(1, 6, 200)
    assert first[0][3].shape == (200, 200)
    for array, same in zip(first[0], longer[0], strict=True):
        np.testing.assert_array_equal(array, same)
    assert not np.array_equal(first[0][0], other[0][0])
    assert brainstem_sections(0) == []
