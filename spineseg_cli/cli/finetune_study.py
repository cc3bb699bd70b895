"""`finetune --study`: a comparison of several variants of a training on the same split of a cohort."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from spineseg_cli.cli.common import is_given
from spineseg_cli.cli.console import report
from spineseg_cli.cli.finetune_options import PATH
from spineseg_cli.cli.options import option, with_options
from spineseg_cli.errors import InputError
from spineseg_cli.experiments.names import study_file, study_names

log = logging.getLogger(__name__)

STUDY_HELP = f"Compare the variants of a study: {', '.join(study_names())}, or a YAML file with variants."
EXTRA_HELP = "Of a study: more labeled scans to evaluate on, never trained on. May be repeated. (--beside is its old name.)"
WEIGHTS_HELP = "Of a study: what variants start from by default. [default: the study's]"
FULL_HELP = "Of a study: its own budget, hours to days; without it, ten minutes to an hour on two CPU cores."

# Options of an ordinary run that are fixed in a study.
NOT_OF_STUDIES = {
    "task", "images", "masks", "label_coverage", "init", "kernel", "split_file", "test_fraction", "validation_fraction", "person",
    "folds",
}  # fmt: skip


def study_options(function):
    """Add the options of a study."""
    return with_options(
        function,
        option("study", metavar="NAME", help=STUDY_HELP),
        option("extra-test", "beside", type=PATH, multiple=True, metavar="DIR", help=EXTRA_HELP),
        option("baseline-weights", metavar="WEIGHTS", help=WEIGHTS_HELP),
        option("full", is_flag=True, help=FULL_HELP),
    )


def study_of(study: str | None, config: str | None) -> str | None:
    """Return the study that is given by --study, or, as in version 0.9, by --recipe; None without one."""
    if study and config:
        raise InputError("a study has its own configurations: leave out --config, or change fields with --set")
    if not study and config and study_file(config):
        log.warning("--recipe %s is now --study %s", config, config)
        return config
    return study


def experiment_of(ctx: click.Context, study: str, changes: dict, full: bool, stratify: str | None):
    """Return the `Experiment` of a study with the changes that the options make."""
    from spineseg_cli.experiments.config import load_experiment

    given = [name for name in sorted(NOT_OF_STUDIES) if is_given(ctx, name)]
    if given:
        raise InputError(f"--{given[0].replace('_file', '').replace('_', '-')} is not for studies: leave it out")
    experiment = load_experiment(study, "full" if full else "quick", changes)
    if stratify:
        split = experiment.split.model_copy(update={"stratify": None if stratify == "none" else stratify})
        experiment = experiment.model_copy(update={"split": split})
    return experiment


def run_study(experiment, out: Path, data: Path | None, extra_test, weights: str | None, device: str, verbose: int) -> None:
    """Train the variants of a study, and compare them by the complete command on subjects that no variant was trained on.

    A study that was stopped is continued.
    """
    from spineseg_cli.experiments.runner import run_experiment

    named = {folder.name.removesuffix(".tsv"): folder for folder in extra_test}
    if len(named) < len(extra_test):
        raise InputError(f"expected folders with different names after --extra-test; got {', '.join(map(str, extra_test))}")
    result = run_experiment(experiment, out, data=data, extra_test_sets=named, weights=weights, device=device, verbose=verbose)
    report(f"{result.verdict}\ntable: {out / 'comparison.csv'}\nreport: {out / 'comparison.html'}", verbose)
