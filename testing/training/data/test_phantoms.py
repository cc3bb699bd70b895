"""Label slices from phantoms."""

import numpy as np
import pytest

from spineseg_cli.synthesis.scanner import Tissue
from spineseg_cli.training.data.phantoms import TIP_AREA_MM2, TIP_DRAWS, conus_slices


@pytest.fixture(scope="module")
def sections():
    return conus_slices(1, spacing_mm=1.0, side_mm=50.0, step_mm=6.0)


def test_the_conus_thins_out_and_ends(sections):
    areas_mm2 = np.array([section.cord.sum() for section in sections])
    assert areas_mm2[0] == 0, "it begins below the tip"
    assert areas_mm2[-1] > 45, "and goes up to the enlargement"
    assert (np.diff(areas_mm2) > -6).all()
    near = areas_mm2[(areas_mm2 > 0) & (areas_mm2 < TIP_AREA_MM2)]
    assert len(near) == len(np.unique(near)) * TIP_DRAWS > 0, "sections near the tip come often"


def test_roots_lie_against_it_each_time_others(sections):
    near = [section for section in sections if 10 < section.cord.sum() < TIP_AREA_MM2][:TIP_DRAWS]
    roots = [section.surroundings == Tissue.ROOT for section in near]
    for section, found in zip(near, roots, strict=True):
        x, y = np.nonzero(section.cord > 0.5)
        beside = np.zeros_like(found)
        beside[max(x.min() - 2, 0) : x.max() + 3, max(y.min() - 2, 0) : y.max() + 3] = True
        assert (found & beside).any()
    assert len({found.tobytes() for found in roots}) == len(roots)
