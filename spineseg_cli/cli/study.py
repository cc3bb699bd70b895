"""`finetune --recipe STUDY`: several variants of a training side by side on one split of one cohort."""

from __future__ import annotations

import sys

import click

from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.cli.console import report
from spineseg_cli.cli.finetune_data_options import PLACE
from spineseg_cli.cli.options import COUNT, verbosity_option, version_option
from spineseg_cli.errors import InputError
from spineseg_cli.experiments.names import study_file, study_names

RECIPE_HELP = f"A study of the package ({', '.join(study_names())}), or a YAML file with arms."
DATA_HELP = "Your own labeled scans, a BIDS folder or a TSV. [default: phantoms, as the study describes them]"
BESIDE_HELP = "More labeled scans that each arm is scored and reported on, never trained on. May be repeated."
WEIGHTS_HELP = "What arms start from by default: a file, a published HDF5 file, or a model's name. [default: the study's]"
FULL_HELP = "The study's own budget, hours to days; without it, ten minutes to an hour on two CPU cores."
STRATIFY_HELP = "Column of participants.tsv to balance the parts by, or none. [default: the study's]"


@click.command(name="finetune", cls=SpinesegCommand)
@click.option("-recipe", "--recipe", required=True, help=RECIPE_HELP)
@click.option("-out", "--out", type=PLACE, required=True, help="Folder of the study; an unfinished study in it goes on.")
@click.option("-data", "--data", type=PLACE, help=DATA_HELP)
@click.option("-beside", "--beside", type=PLACE, multiple=True, metavar="DIR", help=BESIDE_HELP)
@click.option("-baseline-weights", "--baseline-weights", "weights", metavar="WEIGHTS", help=WEIGHTS_HELP)
@click.option("-full", "--full", is_flag=True, help=FULL_HELP)
@click.option("-epochs", "--epochs", type=COUNT, help="Of every arm, at most.")
@click.option("-steps", "--steps", type=COUNT, help="Batches an epoch.")
@click.option("-batch", "--batch", type=COUNT, help="Crops a batch.")
@click.option("-set", "--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Change a field of every arm's recipe.")
@click.option("-stratify", "--stratify", metavar="COLUMN", help=STRATIFY_HELP)
@click.option("-device", "--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True)
@verbosity_option
@version_option
def main(recipe, out, data, beside, weights, full, changes, stratify, device, verbose, **counts):
    """Train the arms of a study side by side, and compare them by the complete command on subjects that none has seen.

    \b
    finetune --recipe pediatric-gm --out runs/children

    A study that was stopped goes on where it was.
    """
    from dataclasses import replace

    from spineseg_cli.cli.finetune_tasks import SEGMENT, compare
    from spineseg_cli.experiments.files import load_study
    from spineseg_cli.experiments.runner import Means, run_study
    from spineseg_cli.training.finetune import run_plan

    changes = [*changes, *(f"{name}={value}" for name, value in counts.items() if value is not None)]
    study = load_study(recipe, "full" if full else "quick", changes)
    if stratify:
        study = replace(study, split=study.split | {"stratify": None if stratify == "none" else stratify})
    named = {folder.absolute().name.removesuffix(".tsv"): folder for folder in beside}
    if len(named) < len(beside):
        raise InputError(f"expected folders with different names after --beside; got {', '.join(map(str, beside))}")
    means = Means(run_plan, SEGMENT[study.task], compare, device, verbose, SEGMENT["centerline"])
    found = run_study(study, out, means, data=data, beside=named, weights=weights)
    report(f"{found.verdict}\ntable: {out / 'comparison.csv'}\nreport: {out / 'comparison.html'}", verbose)


class RunOrStudy(SpinesegCommand):
    """A command that hands over to `main` here where its --recipe names a study."""

    def main(self, args=None, **extra):
        """Run the command, or the study."""
        given = sys.argv[1:] if args is None else list(args)
        if any(study_file(name) for name in _recipes_in(given)):
            return main.main(given, **extra)
        return super().main(args, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; a recipe without a task may be a study whose name is misspelt."""
        recipes = _recipes_in(args)
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as error:
            if recipes and error.param is not None and error.param.name == "task":
                known = ", ".join(study_names())
                raise click.UsageError(
                    f"no study {recipes[0]!r}; expected one of {known}, or --task beside a recipe", ctx
                ) from error
            raise


def _recipes_in(args: list[str]) -> list[str]:
    """Return what follows `--recipe` in arguments that are not parsed yet."""
    flags = [place for place, arg in enumerate(args[:-1]) if arg in ("-recipe", "--recipe")]
    return [args[place + 1] for place in flags] + [arg.partition("=")[2] for arg in args if arg.startswith("--recipe=")]


if __name__ == "__main__":
    main()
