"""`spineseg`: a BIDS App that segments and measures the cord of a whole cohort."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from spineseg_cli.cli.cohort_options import run_options, selection_of, selection_options
from spineseg_cli.cli.common import SpinesegCommand
from spineseg_cli.cli.console import complain, report
from spineseg_cli.cli.options import common_options
from spineseg_cli.errors import InputError

FOLDER_PATH = click.Path(path_type=Path)

# Options that take all values that follow, as in BIDS Apps.
GREEDY = tuple(
    f"{dashes}{name}"
    for name in ("participant-label", "session-label", "suffix", "task", "filter", "set", "steps", "ratings")
    for dashes in ("-", "--")
)
EPILOG = """\b
What is finished already, from the same files with the same weights and options, is not done again: a run that was stopped
goes on by the same command. Masks in BIDS/derivatives/labels take the place of automatic ones.
Exit codes: 0 done, 1 something failed, 2 bad arguments or input.
"""


@click.command(name="spineseg", cls=SpinesegCommand, epilog=EPILOG, greedy=GREEDY)
@click.argument("bids", type=FOLDER_PATH)
@click.argument("out", type=FOLDER_PATH)
@click.argument("level", type=click.Choice(["participant", "group"]))
@selection_options
@run_options
@common_options
@click.pass_context
def main(ctx, /, bids, out, level, config, overrides, steps, jobs, force, only_failed, dry_run, dicom, scheduler, cluster,
         ratings, verbose, **chosen):  # fmt: skip
    """Segment and measure the cord in all scans of the BIDS folder BIDS; write BIDS derivatives to OUT.

    \b
    spineseg data data/derivatives/spineseg participant     masks, measures and pictures of every scan
    spineseg data data/derivatives/spineseg group           tables and the page, open OUT/qc/index.html
    spineseg data out participant --dicom scanner           first sort and convert the DICOM files in scanner into data
    """
    from spineseg_cli.cli.cohort_run import convert_dicom, run_group, run_participants, say_what_is_odd
    from spineseg_cli.cohort.settings import read_settings

    settings = read_settings(config, [*overrides, *([f"steps={' '.join(steps)}"] if steps else [])])
    if dicom:
        convert_dicom(dicom, bids, dry_run, verbose)
        if dry_run:
            return
    if level == "group":
        failed = run_group(bids, out, selection_of(**chosen), settings, ratings, verbose)
    else:
        from spineseg_cli.cohort.participant import make_plan

        if ratings:
            raise InputError("--ratings is for the group level; here, --exclude takes ratings")
        selection = selection_of(**chosen)
        plan = make_plan(bids, out, selection, settings, force=force, only_failed=only_failed)
        failed = run_participants(plan, settings, jobs, scheduler, cluster, dry_run, verbose)
        if not only_failed:
            say_what_is_odd(bids, [scan for job in plan.jobs for scan in job.scans], selection, verbose)
        if not dry_run:
            again = f"{ctx.command_path} {shlex.join([str(bids), str(out), 'group'])}"
            report(f"spineseg: next, {again} writes the tables and the page", verbose)
    if failed:
        complain(f"spineseg: {failed}")
        ctx.exit(1)


if __name__ == "__main__":
    main()
