"""`finetune --study` runs an experiment, and names mistakes before TensorFlow is loaded."""

import pytest
from click.testing import CliRunner

from spineseg_cli.cli.finetune import main
from spineseg_cli.experiments import runner


@pytest.fixture
def taken(monkeypatch):
    """What `run_experiment` is given."""
    from spineseg_cli.reports.trainings.comparison import Comparison

    found = {}

    def run(experiment, out, **more):
        found.update(more, experiment=experiment, out=out)
        return Comparison("x", ("DSC",), "best", ())

    monkeypatch.setattr(runner, "run_experiment", run)
    return found


def test_the_arguments_reach_the_study(tmp_path, taken):
    (tmp_path / "adults").mkdir()
    result = CliRunner().invoke(main, ["--study", "pediatric-gm", "--out", str(tmp_path / "out"), "--epochs", "3", "--full",
                                       "--extra-test", str(tmp_path / "adults"), "--stratify", "none", "--set", "seed=7",
                                       "--baseline-weights", "a.hdf5"])  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[1:] == [
        f"table: {tmp_path / 'out' / 'comparison.csv'}", f"report: {tmp_path / 'out' / 'comparison.html'}",
    ]  # fmt: skip
    experiment = taken["experiment"]
    config = experiment.config_of(experiment.variants[1])
    assert (experiment.budget, config.optimizer.epochs, config.seed, experiment.split.stratify) == ("full", 3, 7, None)
    assert (taken["extra_test_sets"], taken["weights"], taken["data"]) == ({"adults": tmp_path / "adults"}, "a.hdf5", None)


@pytest.mark.parametrize("arguments", [["--recipe", "pediatric-gm"], ["--recipe=pediatric-gm"], ["-recipe", "pediatric-gm"]])
def test_the_spelling_of_version_0_9(arguments, tmp_path, taken):
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path), "--beside", str(tmp_path / "x")])
    assert result.exit_code == 0, result.output
    assert taken["experiment"].name == "pediatric-gm"
    assert "--recipe pediatric-gm is now --study pediatric-gm" in result.output


def test_a_misspelled_study_is_named():
    """Not the task, which a study brings with it."""
    result = CliRunner().invoke(main, ["--recipe", "pediatric", "--out", "out"])
    assert result.exit_code == 2
    assert "no study 'pediatric'; expected one of exvivo-gm, lumbosacral, pediatric-gm, ra-unet" in result.stderr
    assert "missing option '-task'" in CliRunner().invoke(main, ["--out", "out"]).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "epochs"), "expected NAME=VALUE, such as optimizer.epochs=5"),
        (("--set", "epoch=5"), "epoch is not a field of a configuration"),
        (("--baseline-weights", "nothing"), "no model 'nothing'"),
        (("--data", "nowhere"), "expected a BIDS folder, or a table ending in .tsv"),
        (("--extra-test", "a/x", "--extra-test", "b/x"), "expected folders with different names after --extra-test"),
        (("--task", "gm"), "--task is not for studies: leave it out"),
        (("--config", "finetune_gm"), "a study has its own configurations: leave out --config"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, arguments, message):
    result = CliRunner().invoke(main, ["--study", "pediatric-gm", "--out", str(tmp_path / "out"), *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.startswith("finetune: ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
