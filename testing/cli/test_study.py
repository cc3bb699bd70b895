"""`finetune --recipe STUDY` hands over to the study, and names mistakes before TensorFlow is loaded."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from spineseg_cli.cli import study
from spineseg_cli.cli.finetune import main as finetune
from spineseg_cli.cli.study import RunOrStudy


@click.command(name="finetune", cls=RunOrStudy)
@click.option("-recipe", "--recipe")
def command(recipe):
    """A run."""
    click.echo(f"a run by {recipe}")


@pytest.mark.parametrize("arguments", [["--recipe", "finetune_gm"], ["--recipe=finetune_gm"], ["-recipe", "finetune_gm"]])
def test_a_recipe_is_a_run(arguments):
    assert CliRunner().invoke(command, arguments).output == "a run by finetune_gm\n"


@pytest.mark.parametrize("arguments", [["--recipe", "pediatric-gm"], ["--recipe=pediatric-gm"], ["-recipe", "pediatric-gm"]])
def test_a_study_is_a_study(arguments):
    result = CliRunner().invoke(command, [*arguments, "-h"])
    assert result.exit_code == 0
    assert "--baseline-weights" in result.output


def test_a_misspelt_study_is_named():
    """Not the task, which a study brings with it."""
    result = CliRunner().invoke(finetune, ["--recipe", "pediatric", "--out", "out"])
    assert result.exit_code == 2
    assert "no study 'pediatric'; expected one of exvivo-gm, lumbosacral, pediatric-gm, ra-unet" in result.stderr
    assert "Missing option '-task'" in CliRunner().invoke(finetune, ["--out", "out"]).stderr


def test_the_arguments_reach_the_study(tmp_path, monkeypatch):
    from spineseg_cli.experiments import runner as pipeline
    from spineseg_cli.reports.comparison import Comparison

    taken = {}

    def run(study, out, means, **more):
        taken.update(more, study=study, out=out, means=means)
        return Comparison("x", ("DSC",), "best", ())

    monkeypatch.setattr(pipeline, "run_study", run)
    (tmp_path / "adults").mkdir()
    result = CliRunner().invoke(command, ["--recipe", "pediatric-gm", "--out", str(tmp_path / "out"), "--epochs", "3", "--full",
                                          "--beside", str(tmp_path / "adults"), "--stratify", "none", "--set", "seed=7",
                                          "--baseline-weights", "a.hdf5"])  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[1:] == [
        f"table: {tmp_path / 'out' / 'comparison.csv'}", f"report: {tmp_path / 'out' / 'comparison.html'}",
    ]  # fmt: skip
    recipe = taken["study"].recipe_of(taken["study"].arms[1])
    assert (taken["study"].budget, recipe.epochs, recipe.seed, taken["study"].split["stratify"]) == ("full", 3, 7, None)
    assert (taken["beside"], taken["weights"], taken["data"]) == ({"adults": tmp_path / "adults"}, "a.hdf5", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "epochs"), "expected a change like epochs=5"),
        (("--set", "epoch=5"), "unknown fields ['epoch']"),
        (("--baseline-weights", "nothing"), "no model 'nothing'"),
        (("--data", "nowhere"), "expected a BIDS folder, or a table ending in .tsv"),
        (("--beside", "a/x", "--beside", "b/x"), "expected folders with different names after --beside"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, arguments, message):
    result = CliRunner().invoke(study.main, ["--recipe", "pediatric-gm", "--out", str(tmp_path / "out"), *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.startswith("finetune: ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_mistakes_do_not_wait_for_tensorflow(tmp_path):
    code = "\n".join([
        "import sys; from spineseg_cli.cli.study import main",
        f"try: main(['--recipe', 'pediatric-gm', '--out', {str(tmp_path / 'out')!r}, '--data', 'nowhere'])",
        "except SystemExit as end: assert end.code == 2",
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules",
    ])  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
