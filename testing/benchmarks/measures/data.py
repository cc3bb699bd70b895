"""Where the scans are that the benchmarks of measures take."""

import os
from pathlib import Path

DATA = Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data"


def full_name(folder: str, name: str) -> str:
    return name if name.startswith("sub-") else f"sub-{folder}_{name}"


def anatomy(folder: str, name: str) -> Path:
    """Return the path of a scan of a data set, by its name, or by its contrast if the data set is one subject."""
    name = full_name(folder, name)
    return DATA / "dev" / folder / name.split("_")[0] / "anat" / f"{name}.nii.gz"
