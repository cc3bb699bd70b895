"""The whole cord of the template PAM50: its spinal segments, and its lumbar peak."""

import numpy as np
import pytest

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.morphometry import measure_cord
from spineseg_cli.morphometry.comparison.norms import read_norms
from spineseg_cli.morphometry.levels.labels import levels_from_map
from spineseg_cli.morphometry.levels.segments import estimate_segments
from spineseg_cli.morphometry.tables.rows import peak_row


@pytest.fixture(scope="module")
def template(shared):
    """A function that reads a mask of the template."""
    return lambda name: read_volume(shared / "data" / "labels" / "pam50" / f"PAM50_{name}.nii.gz", kind="mask")


@pytest.fixture(scope="module")
def measures(template):
    return measure_cord(template("cord"), levels=template("levels"))


def test_the_spinal_segments_that_the_cord_shows(template, measures):
    """PAM50's spinal levels, whose lengths follow the same percentages: the median of the middles within 5 mm."""
    true = levels_from_map(measures.profile, to_rpi(template("spinal_levels")))
    distance, (segments, _) = measures.profile.distance_mm, estimate_segments(measures.profile)
    middles = (segments.position_mm[1:] + segments.position_mm[:-1]) / 2
    errors = [abs(distance[true == n].mean() - middles[n - 1]) for n in np.unique(true[true > 0])]
    assert len(errors) == 30
    assert np.median(errors) < 5


def test_the_lumbar_peak_is_where_the_area_is_largest(measures):
    """The enlargement is small: in the lower thoracic vertebrae, and larger than the slices 20 mm away."""
    row = peak_row(measures)
    first, last = (int(k) for k in row["slice"].split(":"))
    assert row["level"] == "lumbar_peak"
    assert 8 < (last - first) / 2 < 12
    area = dict(zip(measures.profile.slices, measures.profile.values["area_mm2"], strict=True))
    assert row["area_mm2"] > max(area[first - 30], area[last + 30])
    compared = read_norms("published").compare(row)
    assert compared["area_mm2_z"] == pytest.approx((row["area_mm2"] - 64.8) / 9.7)
