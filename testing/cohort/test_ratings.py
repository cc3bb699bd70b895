"""Ratings that the page exports, and the agreement of two raters."""

import math

import pytest

from spineseg_cli.cohort.ratings import cohens_kappa, rater_agreement, read_ratings
from spineseg_cli.errors import InputError


def test_kappa():
    """The example of Cohen's paper: 0.29 + 0.20 + ... is left to others; these are worked by hand."""
    a = ["pass"] * 20 + ["pass"] * 5 + ["fail"] * 10 + ["fail"] * 15
    b = ["pass"] * 20 + ["fail"] * 5 + ["pass"] * 10 + ["fail"] * 15
    assert cohens_kappa(a, b) == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    assert cohens_kappa(["pass", "fail"], ["pass", "fail"]) == 1
    assert math.isnan(cohens_kappa(["pass"], ["pass"]))
    assert math.isnan(cohens_kappa([], []))


def test_only_what_both_have_marked_counts(tmp_path):
    rows = "scan\tstep\tmark\trating\tnote\trater\n"
    (tmp_path / "a.tsv").write_text(rows + "x\ts\tpass\t\t\ta\ny\ts\tfail\t\t\ta\nz\ts\t\t3\t\ta\n")
    (tmp_path / "b.yaml").write_text(
        'ratings:\n  - scan: "x"\n    step: "s"\n    mark: "pass"\n  - scan: "y"\n    step: "s"\n    mark: "fail"\n'
        '  - scan: "z"\n    step: "s"\n    mark: "fail"\n'
    )
    first, second = read_ratings(tmp_path / "a.tsv"), read_ratings(tmp_path / "b.yaml")
    assert rater_agreement(first, second) == (2, 1.0)
    (tmp_path / "c.tsv").write_text("file\tscore\nx\t1\n")
    for path, said in (("c.tsv", "ratings"), ("none.tsv", "no such file")):
        with pytest.raises(InputError, match=said):
            read_ratings(tmp_path / path)
