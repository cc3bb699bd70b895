"""Where the scans are that the benchmarks of measures take."""

import os
from pathlib import Path

DATA = Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data"
