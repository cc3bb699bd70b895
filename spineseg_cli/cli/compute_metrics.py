"""`compute_metrics`: every metric of predictions against one or more references, per volume and per slice."""

from __future__ import annotations

from pathlib import Path

import click

from spineseg_cli.cli.common import EXIT_EMPTY, SpinesegCommand
from spineseg_cli.cli.console import complain, print_result, progress_bar, report
from spineseg_cli.cli.options import common_options, file_option, option, switch
from spineseg_cli.cli.outputs import check_outputs

DETAILS = """\b
Metrics: DSC, Jaccard (JI), conformity (CC), mean and Hausdorff surface distance (MSD, HSD, HD95), Hausdorff and median
distance of skeletons (SHD, SMD), TPR, TNR, PPV, accuracy, MCC, volume difference (VD). A name's end is its unit.
\b
Which reference belongs to which prediction:
  -i A B    -r A1 B1                      pairs, in order
  -i A      -r A1 A2 A3                   three raters: each, and their majority (ties count as marked)
  -i A B    -r A1 B1 A2 B2  --raters 2    all of the first rater, then all of the second
\b
Empty masks: both empty, all metrics are undefined (nan); one empty, overlap is 0 and distances are infinite.
The summary (mean, std, median, P25, P75) is of the n finite values; n_undefined and n_infinite count the others.
Exit codes: 0 done, 1 failed or stopped, 2 bad arguments or input, 3 done, but both masks of every pair are empty.
"""


@click.command(name="compute_metrics", cls=SpinesegCommand, greedy=("-i", "--input", "-r", "--ref"), epilog=DETAILS)
@click.option("-i", "--input", "predictions", multiple=True, required=True, metavar="PRED...", help="Masks to compare.")
@click.option("-r", "--ref", "references", multiple=True, required=True, metavar="REF...", help="Reference masks.")
@file_option("-o", "--output", help="Table to write: .csv, .tsv or .json. Without it: to the terminal.")
@option("raters", type=click.IntRange(min=1), help="References per prediction; see below.")
@switch("-perslice", "per-slice", help="Also each axial slice, in its plane (0: most inferior).")
@option("label", type=click.IntRange(min=1), help="Compare the voxels with this value in label images.")
@option("bin-thr", dest="threshold", type=float, help="A voxel above this is in the mask.  [default: 0.5]")
@common_options
@click.pass_context
def main(ctx, predictions, references, output, raters, per_slice, label, threshold, verbose):
    """Compare masks with reference masks on the same voxel grid.

    \b
    compute_metrics -i cord_seg.nii.gz -r expert.nii.gz
    compute_metrics -i sub-*_seg.nii.gz -r expert/sub-*_seg.nii.gz -per-slice -o scores.csv
    """
    from spineseg_cli.core.extras import is_installed
    from spineseg_cli.core.provenance import sidecar_path, write_sidecar
    from spineseg_cli.core.ranges import counted
    from spineseg_cli.core.tables import check_suffix
    from spineseg_cli.errors import InputError
    from spineseg_cli.metrics.evaluate import DEFAULT_THRESHOLD, evaluate, pair_up
    from spineseg_cli.metrics.table import WRITERS, to_text, write_table

    if label is not None and threshold is not None:
        raise InputError("expected --label or --bin-thr; got both: a label is chosen by its value alone")
    groups = pair_up(predictions, references, raters)
    files = list(dict.fromkeys(Path(name) for name in (*predictions, *(name for group in groups for name in group))))
    if output:
        check_suffix(output, WRITERS)
    check_outputs([], files, tables=[output, sidecar_path(output)] if output else [])
    non_finite: dict = {}
    cases = progress_bar(_read(predictions, groups, non_finite), len(predictions), verbose)
    threshold = DEFAULT_THRESHOLD if threshold is None else threshold
    table = evaluate(cases, per_slice=per_slice, label=label, threshold=threshold)
    if output:
        write_table(output, table)
        write_sidecar(output, files, ({"Threshold": threshold} if label is None else {"Label": label}) | non_finite)
        report(f"wrote {output}: {counted(len(table.rows), 'row')}", verbose)
    else:
        print_result(to_text(table), verbose)
    if verbose and not is_installed("skimage"):
        complain("compute_metrics: SHD and SMD are left undefined: they need scikit-image; pip install 'spineseg[metrics]'")
    if table.is_undefined:
        complain("compute_metrics: both masks of every pair are empty, so no metric is defined")
        ctx.exit(EXIT_EMPTY)


def _read(predictions, groups, non_finite):
    """Yield the cases one by one, to keep only one in memory.

    Entries of the sidecar about NaN and infinite voxels are added to `non_finite`.
    """
    from spineseg_cli.core.image.nifti import read_volume
    from spineseg_cli.core.image.non_finite import non_finite_details
    from spineseg_cli.metrics.evaluate import Case

    for name, names in zip(predictions, groups, strict=True):
        prediction, *references = (read_volume(path, kind="mask") for path in (name, *names))
        for name_of_entry, entries in non_finite_details(prediction, *references).items():
            non_finite.setdefault(name_of_entry, []).extend(entries)
        yield Case(name, prediction, names, tuple(references))


if __name__ == "__main__":
    main()
