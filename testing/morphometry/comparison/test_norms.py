"""Norms as published, and from a table of controls."""

import pytest

from spineseg_cli.errors import InputError
from spineseg_cli.morphometry.comparison.norms import LEAST_CONTROLS, PUBLISHED, read_norms

HEADER = "scope,level_kind,level,file,sub,ses,flags,area_mm2\n"


def controls(tmp_path, rows):
    path = tmp_path / "controls.csv"
    path.write_text(HEADER + "".join(f"level,vertebral,C3,{sub}_{ses}.nii.gz,{sub},{ses},,{area}\n" for sub, ses, area in rows))
    return str(path)


def test_sessions_of_one_person_are_one_control(tmp_path):
    """Five people, one of them scanned three times: the mean is over people, not over scans."""
    areas = [60.0, 65.0, 70.0, 75.0, 80.0]
    rows = [(f"c{number}", "1", area) for number, area in enumerate(areas)] + [("c4", "2", 82.0), ("c4", "3", 78.0)]
    norm = read_norms(controls(tmp_path, rows)).table["vertebral", "C3", "area_mm2"]
    assert (norm.mean, norm.sd) == (pytest.approx(70.0), pytest.approx(7.906, abs=1e-3))


def test_many_scans_of_few_people_are_too_few(tmp_path):
    rows = [(f"c{number}", str(session), 60.0 + number + session) for number in range(LEAST_CONTROLS - 1) for session in range(4)]
    with pytest.raises(InputError, match=f"at least {LEAST_CONTROLS} controls"):
        read_norms(controls(tmp_path, rows))


def test_published_diameters_are_of_spinal_segments_alone():
    """Values of spinal segments stand beside spinal segments, never beside vertebrae, whose names are the same."""
    row = {"level": "C5", "area_mm2": 76.4, "diameter_AP_mm": 9.0, "diameter_AP_mm_se": 0.16, "diameter_RL_mm": 13.3}
    norms = read_norms(PUBLISHED)
    spinal = norms.of_kind("spinal")
    found = spinal.compare(row | {"level_kind": "spinal"})
    assert (found["diameter_AP_mm_z"], found["diameter_AP_mm_z_se"]) == (pytest.approx(1.0), pytest.approx(0.1))
    assert (found["diameter_RL_mm_z"], found["diameter_RL_mm_centile"], found["area_mm2_z"]) == (0, 50, None)
    assert "Frostell" in spinal.source
    vertebral = norms.of_kind("vertebral")
    assert vertebral.compare(row | {"level_kind": "vertebral"}).keys() == {"area_mm2_z", "area_mm2_z_se", "area_mm2_centile"}
    assert "Frostell" not in vertebral.source
