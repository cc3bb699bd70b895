"""`finetune`, from labeled scans to weights that another function takes."""

import numpy as np

from spineseg_cli import finetune, segment_gray_matter
from spineseg_cli.core.image.nifti import nibabel_from_volume, write_volume
from spineseg_cli.synthesis.phantom import make_phantom


def test_weights_from_labeled_scans(tmp_path, tiny_weights):
    phantom = make_phantom(region=(40, 60), spacing_mm=(0.5, 0.5, 5.0), fov_mm=(32.0, 32.0), seed=3)
    for n in range(3):
        folder, labels = (tmp_path / "bids" / part / f"sub-{n}/anat" for part in ("", "derivatives/labels"))
        write_volume(folder / f"sub-{n}_T2star.nii.gz", phantom.image)
        write_volume(labels / f"sub-{n}_T2star_label-GM_seg.nii.gz", phantom.gray_matter, np.uint8)
        write_volume(labels / f"sub-{n}_T2star_label-SC_seg.nii.gz", phantom.cord, np.uint8)
    short = {"optimizer": {"epochs": 1, "steps_per_epoch": 1, "batch_size": 2}}
    out = tmp_path / "run"
    found = finetune(tmp_path / "bids", out, task="gm", init=str(tiny_weights), changes=short, device="cpu")
    assert found.weights == (out / "run.weights.h5",)
    assert found.report.is_file()
    assert "1 test subject" in found.verdict
    assert 0 <= found.after["DSC"] <= 1
    assert not found.stopped
    scan = nibabel_from_volume(phantom.image)
    assert segment_gray_matter(scan, weights=found.weights[0], centerline=nibabel_from_volume(phantom.cord)).model == "run"
