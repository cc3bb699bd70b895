"""A spinal cord ex vivo at high resolution: cord and root stumps in a dark fluid, with the exact masks.

Nothing pulsates, and there is no canal, no bone and no muscle: the image is the cord of `canal`, straightened, with the slow
bends and dents of tissue that has been fixed. As in the ex vivo scan of Perone et al., Scientific Reports 8:5966, 2018 (7 T,
80 um), gray matter is brighter than white, and the fluid is darker than both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import InputError
from spineseg_cli.synthesis.canal import canal_slice, fill_canal
from spineseg_cli.synthesis.sampling import subsample
from spineseg_cli.synthesis.scanner import CORD_TISSUES, Tissue, WaveField
from spineseg_cli.synthesis.subject import draw_subject

# Set by eye, white matter = 100; all other tissues of the canal are washed away.
_SIGNAL = {Tissue.WHITE_MATTER: 100.0, Tissue.GRAY_MATTER: 138.0, Tissue.FISSURE: 35.0, Tissue.ROOT: 80.0}
_FLUID = 12.0
_TEXTURE = 0.06
_DENT_MM = 0.25
_SAMPLES = 3  # a voxel, along each axis of the plane
_CORD = list(CORD_TISSUES)


@dataclass(frozen=True)
class ExVivoCord:
    """A synthetic ex vivo scan and its truth on one grid in RPI (nibabel's LAS).

    Attributes
    ----------
    image : Volume
        Intensities, float32, white matter about 100.
    cord, gray_matter : Volume
        uint8 masks: 1 where more than half of the voxel is cord (gray matter).
    """

    image: Volume
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
    """Make a synthetic ex vivo scan, the cord about the middle of the field of view.

    Parameters
    ----------
    slices : int
        Axial slices, 1 or more.
    spacing_mm : (float, float, float)
        Voxel size: right-left, posterior-anterior, inferior-superior.
    side_mm : float
        Side of the field of view, rounded to whole voxels.
    start_mm : float
        Arc length of the topmost slice below the top of C1, adult.
    noise : float
        Standard deviation of the Rician noise over the signal of white matter.
    bias : float
        Standard deviation of the logarithm of the bias field, about.
    seed : int
        The same arguments and seed give the same scan, bit for bit.

    Raises
    ------
    InputError
        If a size is not above 0.
    """
    if slices < 1 or min(*spacing_mm, side_mm) <= 0 or min(noise, bias, start_mm) < 0:
        raise InputError(
            f"an ex vivo phantom has 1 slice or more, sizes above 0, and noise, bias and start_mm of 0 or more; got {slices} "
            f"slices of {spacing_mm} mm, side_mm {side_mm}, noise {noise}, bias {bias}, start_mm {start_mm}: change it"
        )
    rng = np.random.default_rng([seed, 2])
    subject = draw_subject(np.random.default_rng([seed, 0]))
    dents = [WaveField(rng, 5.0, 40.0) for _ in range(2)]
    wander = [WaveField(rng, 60.0, 200.0) for _ in range(2)]
    texture, field = WaveField(rng, 0.8, 6.0), WaveField(rng, 20.0, 120.0, waves=12)
    signal = np.array([_SIGNAL.get(tissue, _FLUID) for tissue in Tissue], np.float32)

    counts = [max(1, round(side_mm / step)) for step in spacing_mm[:2]]
    centers = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(counts, spacing_mm, strict=False)]
    x, y = -centers[0], centers[1]
    fine = subsample(x, -spacing_mm[0], _SAMPLES), subsample(y, spacing_mm[1], _SAMPLES)
    shape = (*counts, slices)
    image = np.empty(shape, np.float32)
    cord, gray = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for k in range(slices):
        z = -(start_mm + (slices - 1 - k) * spacing_mm[2])
        here = canal_slice(-z, subject)
        away = [float(part.on_slice(np.zeros(1), np.zeros(1), z)[0, 0]) for part in wander]
        u, v = (
            (axis - 0.5 * shift) + _DENT_MM * dent.on_slice(fine[0], fine[1], z)
            for axis, shift, dent in zip((fine[0][:, None], fine[1][None, :]), away, dents, strict=True)
        )
        tissue = fill_canal(np.full(u.shape, Tissue.AIR, np.uint8), u, v, here, subject)
        fractions = _fractions(tissue, counts)
        clean = fractions @ signal * (1 + _TEXTURE * texture.on_slice(x, y, z)) * np.exp(bias * field.on_slice(x, y, z))
        real, imaginary = 100.0 * noise * rng.standard_normal((2, *clean.shape))
        image[..., k] = np.hypot(clean + real, imaginary)
        cord[..., k] = fractions[..., _CORD].sum(axis=-1) > 0.5
        gray[..., k] = fractions[..., Tissue.GRAY_MATTER] > 0.5
    affine = np.diag([-spacing_mm[0], spacing_mm[1], spacing_mm[2], 1.0])
    affine[:3, 3] = x[0], y[0], -(start_mm + (slices - 1) * spacing_mm[2])
    return ExVivoCord(*(Volume(data, affine) for data in (image, cord, gray)))


def _fractions(tissue: np.ndarray, counts: list[int]) -> np.ndarray:
    """Return the fraction of each tissue in each voxel, float32, shape (nx, ny, len(Tissue))."""
    cells = tissue.reshape(counts[0], _SAMPLES, counts[1], _SAMPLES)
    result = np.zeros((*counts, len(Tissue)), np.float32)
    for label in np.unique(tissue):
        result[..., label] = (cells == label).mean(axis=(1, 3))
    return result
