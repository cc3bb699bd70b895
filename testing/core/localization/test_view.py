"""Where a network sees the cord in its windows."""

import numpy as np

from spineseg_cli.core.image.slice_windows import windows_around
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.location import CordLocation, CordView
from spineseg_cli.core.localization.view import centered_in_view


def test_centers_are_moved_to_the_cord_that_is_seen():
    """In slices 1 and 5, it lies beside the path by as much as is said; those between are moved by what lies between."""
    path, moved_vx = np.tile([20.0, 25.0], (7, 1)), {1: (4.0, -3.0), 5: (-2.0, 5.0)}
    scan = Volume(np.zeros((40, 50, 7), np.float32), np.diag([0.6, 0.8, 4.0, 1.0]))
    windows = windows_around(scan, path, 0.5, 64)
    x, y, k = np.indices(scan.shape)
    cord = np.zeros(scan.shape, np.float32)
    for slice_number, by in moved_vx.items():
        center = path[slice_number] + by
        cord[(k == slice_number) & (np.hypot((x - center[0]) * 0.6, (y - center[1]) * 0.8) < 4)] = 1
    seen = np.array(sorted(moved_vx))
    view = CordView(windows, seen, windows.extract(cord, seen), np.ones(2), "none")
    location = CordLocation(path, np.ones(7), np.ones(7, bool), view=view)
    moved = centered_in_view(location).centers_vx - path
    np.testing.assert_allclose(moved[[1, 5]], list(moved_vx.values()), atol=0.1)
    np.testing.assert_allclose(moved[3], np.mean(list(moved_vx.values()), axis=0), atol=0.1)
    np.testing.assert_array_equal(moved[[0, 6]], moved[[1, 5]])
    assert centered_in_view(CordLocation(path, np.ones(7), np.ones(7, bool))).centers_vx is path
