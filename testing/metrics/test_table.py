"""The forms of a table."""

import csv
import io
import json
import math

import pytest

from spineseg_cli.errors import InputError
from spineseg_cli.metrics.agreement import METRICS
from spineseg_cli.metrics.statistics import STATISTICS
from spineseg_cli.metrics.table import KEYS, WRITERS, Table, to_json, to_text, write_table


def row(prediction, dsc, rater="1", level="volume", k=None):
    keys = {"level": level, "statistic": "value", "prediction": prediction, "reference": "r.nii", "rater": rater, "slice": k}
    return keys | dict.fromkeys(METRICS, 1.0) | {"DSC": dsc, "CC_pct": -math.inf}


TABLE = Table((row("s1/p.nii", 0.25), row("s2/p,q.nii", 0.75), row("s1/p.nii", math.nan, level="slice", k=0)))


@pytest.mark.parametrize(("form", "delimiter"), [(WRITERS[".csv"], ","), (WRITERS[".tsv"], "\t")])
def test_delimited_text_reads_back(form, delimiter):
    lines = list(csv.DictReader(io.StringIO(form(TABLE)), delimiter=delimiter))
    assert tuple(lines[0]) == KEYS + METRICS
    values = [line for line in lines if line["statistic"] == "value"]
    assert [line["prediction"] for line in values] == ["s1/p.nii", "s2/p,q.nii", "s1/p.nii"]
    assert [float(line["DSC"]) for line in values] == pytest.approx([0.25, 0.75, math.nan], nan_ok=True)
    assert [line["slice"] for line in values] == ["", "", "0"]
    summary = {line["statistic"]: line for line in lines if line["level"] == "volume" and line["statistic"] != "value"}
    assert tuple(summary) == STATISTICS
    assert float(summary["mean"]["DSC"]) == 0.5
    assert (summary["n"]["CC_pct"], summary["n_infinite"]["CC_pct"]) == ("0", "2")


def test_json_is_strict_and_reads_back():
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    content = json.loads(to_json(TABLE), parse_constant=refuse)
    assert [r["DSC"] for r in content["rows"]] == [0.25, 0.75, None]
    assert float(content["rows"][0]["CC_pct"]) == -math.inf
    assert content["summary"]["volume"]["1"]["DSC"]["mean"] == 0.5
    nothing = dict.fromkeys(STATISTICS) | {"n": 0, "n_undefined": 1, "n_infinite": 0}
    assert content["summary"]["slice"]["1"]["DSC"] == nothing


def test_raters_are_summed_up_apart():
    table = Table((row("a", 0.2, rater="1"), row("a", 0.4, rater="majority"), row("b", 0.8, rater="majority")))
    means = {r["rater"]: r["DSC"] for r in table.summary() if r["statistic"] == "mean"}
    assert means == {"1": 0.2, "majority": pytest.approx(0.6)}


def test_text_is_aligned_and_short():
    lines = to_text(Table((row("/data/s1/p.nii", 0.25), row("/data/s2/p.nii", 0.75)))).splitlines()
    assert len(lines) == 1 + 2 + len(STATISTICS)
    assert lines[1].startswith("value")
    assert "s1/p.nii" in lines[1]
    assert "/data" not in lines[1]
    assert len({line.index(value) for line, value in zip(lines[:3], ("DSC", "0.25", "0.75"), strict=True)}) == 1
    turned = to_text(Table((row("/data/s1/p.nii", 0.25),)))
    assert "mean" not in turned, "one row needs no summary"
    assert "\nDSC             0.25\n" in turned


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        write_table(tmp_path / "out.csv", TABLE)
