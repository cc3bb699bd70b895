"""The tissues of the phantom, their signal in each contrast, and a simulated scanner with bias field and Rician noise."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Tissue(IntEnum):
    """Labels of the phantom's tissue map."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    MARROW = 4
    CORTICAL_BONE = 5
    DISC = 6
    LIGAMENT = 7  # also the dura
    EPIDURAL_FAT = 8
    CSF = 9
    ROOT = 10  # of the spinal nerves, and the cauda equina
    WHITE_MATTER = 11
    GRAY_MATTER = 12
    FISSURE = 13  # the anterior median fissure: part of the cord's mask, as raters draw it
    VESSEL = 14
    LUNG = 15
    ORGAN = 16
    NUCLEUS = 17  # nucleus pulposus, the inside of a disc
    GANGLION = 18


CORD_TISSUES = (Tissue.WHITE_MATTER, Tissue.GRAY_MATTER, Tissue.FISSURE)

# Signal relative to white matter = 100. The values of the cord follow from its relaxation times at 3 T (Smith et al., Magn.
# Reson. Med. 60:213, 2008: T1 0.88 s in white and 0.97 s in gray matter; T2 73 and 76 ms). The ratio of gray to white matter in
# T2*w is that of multi-echo gradient echo scans. All other values are set by eye.
_SIGNAL = {
    #                       t1   t2  t2s
    Tissue.AIR: (0, 0, 0),
    Tissue.SKIN: (95, 70, 60),
    Tissue.FAT: (165, 250, 105),
    Tissue.MUSCLE: (66, 48, 80),
    Tissue.MARROW: (105, 120, 38),
    Tissue.CORTICAL_BONE: (14, 16, 10),
    Tissue.DISC: (62, 75, 95),
    Tissue.LIGAMENT: (22, 20, 38),
    Tissue.EPIDURAL_FAT: (160, 225, 100),
    Tissue.CSF: (34, 340, 175),
    Tissue.ROOT: (78, 120, 125),
    Tissue.WHITE_MATTER: (100, 100, 100),
    Tissue.GRAY_MATTER: (84, 118, 126),
    Tissue.FISSURE: (66, 175, 138),
    Tissue.VESSEL: (24, 14, 170),
    Tissue.LUNG: (10, 10, 6),
    Tissue.ORGAN: (82, 105, 95),
    Tissue.NUCLEUS: (60, 185, 125),
    Tissue.GANGLION: (75, 150, 115),
}
# The contrasts of phantoms. Synthetic training images have those of `contrasts` instead.
PHANTOM_CONTRASTS = ("t1", "t2", "t2s")
_TEXTURE = 0.05
_SIGNAL_SPREAD = (0.96, 1.04)  # factors between scans, which keep the order of brightness of the cord's tissues
_WHITE_MATTER_SIGNAL = 100.0


def tissue_signal(contrast: str) -> np.ndarray:
    """Return the signal of each tissue relative to white matter = 100, a float32 array indexed by `Tissue`.

    Raises KeyError if `contrast` is not one of `PHANTOM_CONTRASTS`.
    """
    column = {name: i for i, name in enumerate(PHANTOM_CONTRASTS)}[contrast]
    return np.array([_SIGNAL[tissue][column] for tissue in Tissue], dtype=np.float32)


class WaveField:
    """A smooth random field in space with mean 0 and a standard deviation of about 1: a sum of plane waves.

    Plane waves are separable, so that a slice costs one small matrix product. The field is a function of world positions and does
    not depend on the voxel grid.

    Wavelengths range from `shortest_mm` to `longest_mm`.
    """

    def __init__(self, rng: np.random.Generator, shortest_mm: float, longest_mm: float, waves: int = 24) -> None:
        direction = rng.normal(size=(waves, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        wavelength = np.exp(rng.uniform(np.log(shortest_mm), np.log(longest_mm), waves))
        self._k = 2 * np.pi * direction / wavelength[:, None]
        self._phase = rng.uniform(0, 2 * np.pi, waves)
        self._amplitude = np.sqrt(2 / waves)

    def on_slice(self, x_mm: np.ndarray, y_mm: np.ndarray, z_mm: float) -> np.ndarray:
        """Return the field at the positions x (nx,) by y (ny,) of one height, shape (nx, ny)."""
        along_x = np.exp(1j * np.outer(x_mm, self._k[:, 0]))
        along_y = np.exp(1j * np.outer(self._k[:, 1], y_mm))
        factor = np.exp(1j * (self._k[:, 2] * z_mm + self._phase))
        return self._amplitude * ((along_x * factor) @ along_y).real


class Scanner:
    """Computes intensities from the fraction of each tissue in a voxel: signal, texture, bias field and Rician noise.

    `contrast` is one of `PHANTOM_CONTRASTS`. `noise` is the standard deviation in the real and the imaginary channel, relative to
    the signal of white matter; `bias` is twice the approximate standard deviation of the bias field's logarithm.
    """

    def __init__(self, contrast: str, noise: float, bias: float, rng: np.random.Generator) -> None:
        self._signal = tissue_signal(contrast) * rng.uniform(*_SIGNAL_SPREAD, len(Tissue)).astype(np.float32)
        self._sigma = noise * _WHITE_MATTER_SIGNAL
        self._bias = bias
        self._texture = WaveField(rng, 4.0, 18.0)
        self._field = WaveField(rng, 130.0, 400.0, waves=12)
        self._rng = rng

    def acquire(self, fractions: np.ndarray, x_mm: np.ndarray, y_mm: np.ndarray, z_mm: float) -> np.ndarray:
        """Return one slice of intensities, float32 (nx, ny), from tissue fractions (nx, ny, len(Tissue)) that add up to 1."""
        clean = fractions @ self._signal
        clean *= 1 + _TEXTURE * self._texture.on_slice(x_mm, y_mm, z_mm)
        # Spine coils lie under the back, so that the signal decreases towards the front.
        clean *= np.exp(self._bias * (0.5 * self._field.on_slice(x_mm, y_mm, z_mm) - y_mm / 120.0))
        real, imaginary = self._sigma * self._rng.standard_normal((2, *clean.shape))
        return np.hypot(clean + real, imaginary).astype(np.float32)
