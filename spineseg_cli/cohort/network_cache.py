"""A cache of loaded networks, and of the location of the cord in the current scan.

All steps search for the cord of a scan with the same networks, so the search is done once. Results are byte by byte those of the
commands, in less time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from spineseg_cli.core.files import file_sha256
from spineseg_cli.core.image.stored import StoredVoxels
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.localizer import Localizer, MaskLocalizer, NetworkLocalizer
from spineseg_cli.core.localization.location import CordLocation
from spineseg_cli.tasks.registry import TASKS


class NetworkCache:
    """The networks of a process. Each is loaded once, even if several tasks need it."""

    def __init__(self, device: str = "auto"):
        self.device = device
        self._predictors: dict[tuple[str, ...], Predictor] = {}
        self._by_name: dict[tuple[str, str, str], Predictor] = {}
        self._localizers: dict[tuple[str, tuple[str, ...], str], Localizer] = {}
        self._locations: dict[bytes, CordLocation] = {}

    def predictor(self, task: str, name_or_path: str) -> Predictor:
        """Return a network for a task (a key of `TASKS`), by name or from a file. Raises what `Task.find_model` raises."""
        path = Path(name_or_path)
        key = task, name_or_path, file_sha256(path) if path.is_file() else ""  # a worker may outlive a change of the file
        if key not in self._by_name:
            self._by_name[key] = self._shared(TASKS[task].find_model(name_or_path).predictor(self.device))
        return self._by_name[key]

    def guided_localizer(self, task: str, predictor: Predictor, mask: Volume) -> Localizer:
        """Return the localizer of a task's command along a mask of the cord or of its centerline: see `Task.localizer`."""
        localizer = TASKS[task].localizer(predictor, mask)
        if isinstance(localizer, MaskLocalizer) and localizer.search:
            localizer = replace(localizer, search=self._shared(localizer.search))
        return localizer

    def localizer(self, task: str, predictor: Predictor, method: str = "optic") -> Localizer:
        """Return the localizer of a task's command, made of networks that are already loaded where possible."""
        key = task, predictor.checksums, method
        if key not in self._localizers:
            localizer = TASKS[task].localizer(predictor, method="cnn" if method == "cnn" else "optic")
            if isinstance(localizer, NetworkLocalizer):
                localizer = CachingLocalizer(
                    search=self._shared(localizer.search),
                    cord=localizer.cord and self._shared(localizer.cord),
                    method=localizer.method,
                    brain=localizer.brain,
                    known=self._locations,
                )
            self._localizers[key] = localizer
        return self._localizers[key]

    def forget_scan(self) -> None:
        """Discard the location of the cord in the last scan; the networks stay loaded."""
        self._locations.clear()

    def _shared(self, predictor: Predictor) -> Predictor:
        """Return the predictor of the same weights that is loaded already, or keep and return this one."""
        return self._predictors.setdefault(predictor.checksums, predictor)


@dataclass(frozen=True, kw_only=True)
class CachingLocalizer(NetworkLocalizer):
    """A localizer that searches only once for the cord in scans with equal voxels, grid and networks."""

    # The locations found so far, which several localizers may share.
    known: dict[bytes, CordLocation] = field(repr=False, compare=False)

    def locate(self, scan: Volume) -> CordLocation:
        """Return the location of the cord in an RPI scan."""
        networks = [(one.sha256, one.precision) for one in (self.search, self.cord) if one]
        search = (networks, self.method, self.brain, scan.shape, scan.affine.tolist())
        key = scan.cached("digest", lambda: _digest(scan.data)) + repr(search).encode()
        if key not in self.known:
            self.known[key] = super().locate(scan)
        return self.known[key]


def _digest(data: np.ndarray | StoredVoxels) -> bytes:
    """Return a checksum of voxels as they are stored, without copying the whole array."""
    stored, scale = (data.stored, (data.slope, data.intercept)) if isinstance(data, StoredVoxels) else (data, ())
    digest = hashlib.blake2b(repr((stored.strides, stored.dtype, scale)).encode(), digest_size=32)
    for plane in np.moveaxis(stored, int(np.argmax(np.abs(stored.strides))), 0):  # each plane is contiguous
        digest.update(plane.tobytes(order="A"))
    return digest.digest()
