"""Settings: defaults, YAML, overrides, and errors that name the setting."""

import pytest

from spineseg_cli.cohort.settings import Settings, read_settings
from spineseg_cli.errors import InputError


def test_yaml_and_overrides(tmp_path):
    assert read_settings() == Settings()
    path = tmp_path / "settings.yaml"
    path.write_text("steps: [cord, measures]\ngm: {tta: true, threshold: 0.4}\nmeasures:\n  levels: none\n")
    settings = read_settings(path, ["gm.threshold=null", "centerline.smooth_mm=20"])
    assert settings.steps == ("cord", "measures")
    assert (settings.gm.tta, settings.gm.threshold, settings.measures.levels) == (True, None, "none")
    assert settings.centerline.smooth_mm == 20
    path.write_text("")
    assert read_settings(path) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: [cord, gray]", "there is no step gray; expected some of centerline, cord, gm"),
        ("steps: [gm]", "the step gm needs the cord's mask"),
        ("gm: {ttaa: true}", "settings have no gm.ttaa; expected some of model"),
        ("gm: {tta: 1}", "the setting gm.tta must be bool; got 1"),
        ("gm: 3", "the setting gm must be a group of options; got 3"),
        ("cord: {threshold: 1.5}", "the setting cord.threshold must be from 0 to below 1; got 1.5"),
        ("volumes: first", "the setting volumes must be one of mean, each; got 'first'"),
        ("- cord", "expected fields in the settings .* got list"),
        ("a: [", "the settings .* is not YAML"),
    ],
)
def test_what_is_refused(tmp_path, text, message):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_settings(path)
    with pytest.raises(InputError, match="expected NAME=VALUE"):
        read_settings(None, ["tta"])
