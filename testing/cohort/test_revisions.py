"""A step whose results change has a new revision, so that a cohort that was begun before is processed again.

`revisions.json` holds the results of two phantoms, and the revisions and weights that they were made by. After a change of
results, raise the revision of the step, once between two releases, and run `python -m testing.cohort.test_revisions`.
"""

import hashlib
import json
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spineseg_cli.cohort.ledger import LEDGER_FOLDER
from spineseg_cli.cohort.network_cache import NetworkCache
from spineseg_cli.cohort.participant import make_plan
from spineseg_cli.cohort.selection import Selection
from spineseg_cli.cohort.session import run_session
from spineseg_cli.cohort.settings import read_settings
from spineseg_cli.cohort.steps import STEPS, StepContext
from spineseg_cli.core.files import write_text
from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.synthesis.phantom import make_phantom

STORED = Path(__file__).with_name("revisions.json")
NAMES = ("centerline", "cord", "gm", "measures")

# A scan of thick slices, and one of thin slices, which are averaged along the cord; noisy, so that small changes have an effect.
PHANTOMS = {
    "T2star": {"region": (30, 55), "spacing_mm": (0.4, 0.4, 3.5), "noise": 0.3},
    "T1w": {"region": (100, 120), "spacing_mm": (0.8, 0.8, 0.8), "noise": 0.3, "contrast": "t1"},
}


def results_by_step(folder: Path) -> dict[str, dict]:
    """Process the phantoms in a folder, and return the results of each step with its revision and its weights."""
    bids, out, networks = folder / "bids", folder / "out", NetworkCache("cpu")
    for suffix, options in PHANTOMS.items():
        image = make_phantom(fov_mm=(40.0, 40.0), seed=3, **options).image
        write_volume(bids / "sub-01" / "anat" / f"sub-01_{suffix}.nii.gz", image)
    settings = read_settings(None, [f"steps={' '.join(NAMES)}"])
    results = {}
    for job in make_plan(bids, out, Selection(), settings).jobs:
        assert not run_session(job, networks).failed
        for scan in job.scans:
            entries = json.loads((out / LEDGER_FOLDER / scan.folder / f"{scan.stem}.json").read_text())["steps"]
            for name, entry in entries.items():
                weights = STEPS[name].weights(StepContext(scan, out, settings, networks))
                masks = [out / path for path in entry["outputs"] if path.endswith(".nii.gz")]
                results[f"{scan.suffix} {name}"] = {
                    "revision": STEPS[name].revision,
                    "weights": [sha256[:8] for sha256 in weights],
                    "masks": [digest_of_voxels(path)[:16] for path in masks],
                    "numbers": {key: value for key, value in entry["facts"].items() if isinstance(value, float)},
                }
    return results


def digest_of_voxels(path: Path) -> str:
    """Return the sha256 of an image's voxels; compressed bytes differ between versions of zlib."""
    return hashlib.sha256(np.asanyarray(nib.load(path).dataobj).tobytes()).hexdigest()


def test_results_that_change_have_a_new_revision(tmp_path):
    stored, made = json.loads(STORED.read_text()), results_by_step(tmp_path)
    assert made.keys() == stored.keys()
    for step, result in made.items():
        for name in ("revision", "weights"):
            assert result[name] == stored[step][name], f"{step}: store the results again"
        assert result["masks"] == stored[step]["masks"], f"{step}: raise its revision"
        assert result["numbers"] == pytest.approx(stored[step]["numbers"], rel=2e-4), f"{step}: raise its revision"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        lines = (f'"{step}": {json.dumps(result)}' for step, result in results_by_step(Path(temporary)).items())
        write_text(STORED, "{\n" + ",\n".join(lines) + "\n}\n")
