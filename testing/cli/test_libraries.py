"""The fast import of libraries leaves them as they are."""

import subprocess
import sys


def test_masked_arrays_work_also_after_the_fast_import():
    code = """
from spineseg_cli.cli.libraries import import_libraries
import_libraries()
import sys
import numpy as np
from numpy import ma
np.unique([1]), np.median([1.0]), np.percentile([1.0], 50)
assert "numpy.ma.core" not in sys.modules and not ma.is_masked(np.ones(2)) and not ma.isMaskedArray(np.ones(2))
masked = np.ma.masked_array([1.0, 2.0, 9.0], [False, False, True])
for module in (ma, np.ma):
    assert module.is_masked(masked) and module.isMaskedArray(masked) and not module.isMaskedArray(masked.data)
assert np.unique(masked).count() == 2 and np.ma.median(masked) == 1.5
import scipy.stats, numpy.ma.extras
assert numpy.ma is np.ma and numpy.ma.MaskedArray is type(masked)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
