"""Networks that stay loaded, and localizers that remember where the cord of a scan is.

The steps on one scan look for the same cord by the same networks: it is searched for once, so that the results are those of the
commands, byte by byte, in a part of their time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from spineseg_cli.core.image.stored import StoredVoxels
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.localizer import Localizer, MaskLocalizer, NetworkLocalizer
from spineseg_cli.core.localization.location import CordLocation
from spineseg_cli.tasks.registry import TASKS


class Networks:
    """The networks of a process: each is read and loaded once, whichever tasks need it.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}
    """

    def __init__(self, device: str = "auto"):
        self.device = device
        self._predictors: dict[str, Predictor] = {}
        self._by_name: dict[tuple[str, str], Predictor] = {}
        self._localizers: dict[tuple[str, str, str], Localizer] = {}
        self._locations: dict[bytes, CordLocation] = {}

    def predictor(self, task: str, name_or_path: str) -> Predictor:
        """Return a network for a task (a key of `TASKS`), by name or from a file; errors are those of `Task.find_model`."""
        key = task, name_or_path
        if key not in self._by_name:
            self._by_name[key] = self._shared(TASKS[task].find_model(name_or_path).predictor(self.device))
        return self._by_name[key]

    def guided_localizer(self, task: str, predictor: Predictor, mask: Volume) -> Localizer:
        """Return what follows a mask of the cord or its centerline, as a task's command would: see `Task.localizer`."""
        made = TASKS[task].localizer(predictor, mask)
        if isinstance(made, MaskLocalizer) and made.search:
            made = replace(made, search=self._shared(made.search))
        return made

    def localizer(self, task: str, predictor: Predictor, method: str = "optic") -> Localizer:
        """Return what finds the cord for a task, as its command would, with the networks that are loaded already."""
        key = task, predictor.sha256, method
        if key not in self._localizers:
            made = TASKS[task].localizer(predictor, method="cnn" if method == "cnn" else "optic")
            if isinstance(made, NetworkLocalizer):
                made = RememberingLocalizer(
                    search=self._shared(made.search),
                    cord=made.cord and self._shared(made.cord),
                    method=made.method,
                    brain=made.brain,
                    known=self._locations,
                )
            self._localizers[key] = made
        return self._localizers[key]

    def forget_scan(self) -> None:
        """Forget where the cord of the last scan was; the networks stay."""
        self._locations.clear()

    def _shared(self, predictor: Predictor) -> Predictor:
        """Return the one predictor of these weights."""
        return self._predictors.setdefault(predictor.sha256, predictor)


@dataclass(frozen=True, kw_only=True)
class RememberingLocalizer(NetworkLocalizer):
    """A localizer that answers at once where it has located the cord of an equal scan with equal networks before.

    Parameters
    ----------
    known : dict
        The answers, which several localizers may share.
    """

    known: dict[bytes, CordLocation] = field(repr=False, compare=False)

    def locate(self, scan: Volume) -> CordLocation:
        """Return where the two networks see the cord in an RPI scan."""
        networks = [(one.sha256, one.precision) for one in (self.search, self.cord) if one]
        asked = (networks, self.method, self.brain, scan.shape, scan.affine.tolist())
        key = scan.once("digest", lambda: _digest(scan.data)) + repr(asked).encode()
        if key not in self.known:
            self.known[key] = super().locate(scan)
        return self.known[key]


def _digest(data: np.ndarray | StoredVoxels) -> bytes:
    """Return a checksum of voxels, as they are stored; no second copy of them is made."""
    stored, scale = (data.stored, (data.slope, data.intercept)) if isinstance(data, StoredVoxels) else (data, ())
    digest = hashlib.blake2b(repr((stored.strides, stored.dtype, scale)).encode(), digest_size=32)
    for plane in np.moveaxis(stored, int(np.argmax(np.abs(stored.strides))), 0):  # each is in one piece
        digest.update(plane.tobytes(order="A"))
    return digest.digest()
