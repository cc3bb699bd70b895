"""A phantom of an ex vivo spinal cord at high resolution: the cord and its root stumps in a dark fluid, with exact masks.

There is no pulsation, canal, bone or muscle. The image shows the cord of `canal`, straightened, with the slow bends and dents of
fixed tissue. As in the ex vivo scan of Perone et al., Scientific Reports 8:5966, 2018 (7 T, 80 um), gray matter is brighter than
white matter, and the fluid is darker than both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.canal import canal_slice, fill_canal
from spineseg_cli.synthesis.sampling import subsample
from spineseg_cli.synthesis.scanner import CORD_TISSUES, Tissue, WaveField
from spineseg_cli.synthesis.subject import Subject, draw_subject

# Signal relative to white matter = 100, set by eye. All other tissues of the canal are replaced by fluid.
_SIGNAL = {Tissue.WHITE_MATTER: 100.0, Tissue.GRAY_MATTER: 138.0, Tissue.FISSURE: 35.0, Tissue.ROOT: 80.0}
_FLUID = 12.0
_TEXTURE = 0.06

# Amplitudes of the surface's dents and of the cord's bends.
_DENT_MM = 0.25
_BEND_MM = 0.5

_SAMPLES = 3  # per voxel, along each in-plane axis
_CORD = list(CORD_TISSUES)


@dataclass(frozen=True)
class ExVivoCord:
    """A synthetic ex vivo scan and its ground truth, on one grid in RPI (nibabel's LAS)."""

    image: Volume  # intensities, float32, white matter about 100
    # uint8 masks: 1 where more than half of the voxel is cord or gray matter.
    cord: Volume
    gray_matter: Volume


def make_exvivo_cord(
    *,
    slices: int = 240,
    spacing_mm: tuple[float, float, float] = (0.1, 0.1, 0.5),
    side_mm: float = 18.0,
    start_mm: float = 5.0,
    noise: float = 0.05,
    bias: float = 0.3,
    seed: int = 0,
) -> ExVivoCord:
    """Make a synthetic ex vivo scan with the cord near the middle of the field of view.

    Raises InputError if a size is not above 0, or noise, bias or start_mm is negative.

    `spacing_mm` is the voxel size: right-left, posterior-anterior, inferior-superior; `side_mm` the side of the square field of
    view, rounded to whole voxels; `start_mm` the arc length of the topmost slice below the top of C1, in an adult. `noise` is the
    standard deviation of the Rician noise, relative to the signal of white matter; `bias` about that of the logarithm of the bias
    field. The same arguments and seed give the same scan, bit for bit.
    """
    if slices < 1 or min(*spacing_mm, side_mm) <= 0 or min(noise, bias, start_mm) < 0:
        raise InputError(
            f"an ex vivo phantom has 1 slice or more, sizes above 0, and noise, bias and start_mm of 0 or more; got {slices} "
            f"slices of {spacing_mm} mm, side_mm {side_mm}, noise {noise}, bias {bias}, start_mm {start_mm}: change it"
        )
    specimen = _Specimen(np.random.default_rng([seed, 2]), draw_subject(np.random.default_rng([seed, 0])), noise, bias)
    counts = [max(1, round(side_mm / step)) for step in spacing_mm[:2]]
    right_left, front_back = ((np.arange(n) - (n - 1) / 2) * step for n, step in zip(counts, spacing_mm, strict=False))
    x, y = -right_left, front_back
    samples = subsample(x, -spacing_mm[0], _SAMPLES), subsample(y, spacing_mm[1], _SAMPLES)
    shape = (*counts, slices)
    image = np.empty(shape, np.float32)
    cord, gray = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for k in range(slices):
        z = -(start_mm + (slices - 1 - k) * spacing_mm[2])
        fractions = _fractions(specimen.tissue_at(*samples, z), counts)
        image[..., k] = specimen.acquire(fractions, x, y, z)
        cord[..., k] = fractions[..., _CORD].sum(axis=-1) > 0.5
        gray[..., k] = fractions[..., Tissue.GRAY_MATTER] > 0.5
    affine = np.diag([-spacing_mm[0], spacing_mm[1], spacing_mm[2], 1.0])
    affine[:3, 3] = x[0], y[0], -(start_mm + (slices - 1) * spacing_mm[2])
    return ExVivoCord(*(Volume(data, affine) for data in (image, cord, gray)))


class _Specimen:
    """A fixed cord, slightly bent and dented, and the scanner that images it. Positions are in mm, z decreasing from C1 down."""

    def __init__(self, rng: np.random.Generator, subject: Subject, noise: float, bias: float):
        self._rng, self._subject, self._noise, self._bias = rng, subject, noise, bias
        self._dents = [WaveField(rng, 5.0, 40.0) for _ in range(2)]
        self._bends = [WaveField(rng, 60.0, 200.0) for _ in range(2)]
        self._texture, self._bias_field = WaveField(rng, 0.8, 6.0), WaveField(rng, 20.0, 120.0, waves=12)
        self._signal = np.array([_SIGNAL.get(tissue, _FLUID) for tissue in Tissue], np.float32)

    def tissue_at(self, x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
        """Return the tissue at the points x (nx,) by y (ny,) of one height, uint8, shape (nx, ny)."""
        shifts = [float(bend.on_slice(np.zeros(1), np.zeros(1), z)[0, 0]) for bend in self._bends]
        u, v = (
            (axis - _BEND_MM * shift) + _DENT_MM * dent.on_slice(x, y, z)
            for axis, shift, dent in zip((x[:, None], y[None, :]), shifts, self._dents, strict=True)
        )
        return fill_canal(np.full(u.shape, Tissue.AIR, np.uint8), u, v, canal_slice(-z, self._subject), self._subject)

    def acquire(self, fractions: np.ndarray, x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
        """Return the intensities of one slice, shape (nx, ny), from the fraction of each tissue in each voxel."""
        texture = 1 + _TEXTURE * self._texture.on_slice(x, y, z)
        clean = fractions @ self._signal * texture * np.exp(self._bias * self._bias_field.on_slice(x, y, z))
        real, imaginary = 100.0 * self._noise * self._rng.standard_normal((2, *clean.shape))
        return np.hypot(clean + real, imaginary)


def _fractions(tissue: np.ndarray, counts: list[int]) -> np.ndarray:
    """Return the fraction of each tissue in each voxel, float32, shape (nx, ny, len(Tissue))."""
    cells = tissue.reshape(counts[0], _SAMPLES, counts[1], _SAMPLES)
    result = np.zeros((*counts, len(Tissue)), np.float32)
    for label in np.unique(tissue):
        result[..., label] = (cells == label).mean(axis=(1, 3))
    return result
