"""The estimated memory of a session is above the measured memory, but not far above."""

import nibabel as nib
import pytest

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.cohort.memory import needed_bytes


@pytest.mark.parametrize(
    ("shape", "peak_mb"),
    [((131, 141, 16), 179), ((288, 288, 20), 247), ((13, 512, 640), 367), ((78, 512, 640), 1223), ((288, 288, 20, 12), 246)],
)
def test_expected_memory(tmp_path, shape, peak_mb):
    """The measured values are peaks of all five steps on real scans of these shapes."""
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    scan = Scan(tmp_path, (tmp_path / "sub-01/anat/sub-01_T2w.nii").relative_to(tmp_path))
    scan.path.parent.mkdir(parents=True)
    with open(scan.path, "wb") as file:
        header["magic"], header["vox_offset"] = b"n+1", 352
        header.write_to(file)
        file.write(bytes(4))
    assert 1.2 * peak_mb < needed_bytes([scan]) / 2**20 < 2.5 * peak_mb
