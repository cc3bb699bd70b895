"""`finetune`: weights from labeled scans."""

from __future__ import annotations

import click

from spineseg_cli.cli.common import EXIT_STOPPED, is_given
from spineseg_cli.cli.console import report
from spineseg_cli.cli.finetune_data_options import data_options
from spineseg_cli.cli.finetune_options import recipe_changes, training_options
from spineseg_cli.cli.finetune_tasks import SEGMENT, compare
from spineseg_cli.cli.options import verbosity_option, version_option
from spineseg_cli.cli.study import RunOrStudy
from spineseg_cli.errors import InputError


@click.command(name="finetune", cls=RunOrStudy)
@click.option("-task", "--task", type=click.Choice(list(SEGMENT)), required=True, help="What the labels show.")
@data_options
@training_options
@click.option("-device", "--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", show_default=True)
@verbosity_option
@version_option
@click.pass_context
def main(
    ctx, task, data, images, masks, complete, out, recipe, init, kernel, split_file, test_share, validation_share, stratify,
    folds, device, verbose, **fields
):  # fmt: skip
    """Make better weights from your own labeled scans, and a report that says whether they are.

    \b
    finetune --task gm --data my_bids --out runs/children
    seg_gm -i scan.nii.gz --custom runs/children/children.weights.h5

    Scans of one person must bear one subject's name: subjects, not scans, are parted. Where --recipe names a study, such as
    pediatric-gm, several variants are trained side by side: see finetune --recipe pediatric-gm -h.
    """
    from spineseg_cli.training.configs.files import load_recipe
    from spineseg_cli.training.finetune import finetune
    from spineseg_cli.training.plan import find_start, make_plans, recipe_for

    if split_file and (folds or stratify):
        raise InputError("--split gives the parts: leave out --folds and --stratify")
    if split_file and (is_given(ctx, "test_share") or is_given(ctx, "validation_share")):
        raise InputError("--split gives the parts: leave out --test-share and --validation-share")
    if folds and is_given(ctx, "test_share"):
        raise InputError("--folds tests on every subject once: leave out --test-share")
    if bool(images) != bool(masks):
        raise InputError("--images and --masks belong together: give both patterns, or neither")
    start = find_start(task, init, kernel)
    plans = make_plans(
        task,
        data,
        out,
        load_recipe(recipe or recipe_for(task, start, kernel), recipe_changes(fields)),
        start,
        split_file=split_file,
        shares=(test_share, validation_share),
        stratify=stratify,
        folds=folds,
        patterns=(images, masks) if images else None,
        complete=complete,
    )
    account = finetune(plans, out, SEGMENT[task], compare, device, verbose)
    report(f"{account.verdict}\nweights: {account.facts['weights']}\nreport: {out / 'report.html'}", verbose)
    if account.stopped:
        ctx.exit(EXIT_STOPPED)


if __name__ == "__main__":
    main()
