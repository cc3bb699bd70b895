"""Cords whose size and direction are known: the share of each voxel that a tube of any section fills, by sampling it finely."""

from dataclasses import dataclass

import numpy as np

from spineseg_cli.core.image.volume import Volume

# Samples within a voxel are so far apart, mm, but no fewer than three along an axis, and an odd number: an even one has
# voxels that are exactly half filled, all of which `binary` takes in, and its cords are up to a percent too large.
SAMPLE_MM = 0.125
COARSE = 8


@dataclass(frozen=True)
class Tube:
    """A straight or bent tube.

    Parameters
    ----------
    semi_mm : (float, float)
        Half-axes of the elliptical section, right-left and front-back, at the middle of the volume.
    tilt_deg : (float, float)
        Angles about the AP and RL axes between the tube and the slices' normal, as SCT has them.
    roll_deg : float
        Turn of the section from left towards anterior.
    taper : (float, float)
        Change of the half-axes per mm upwards along the tube.
    bend_mm : float
        Radius of the tube's bend in the sagittal plane, its middle along the normal; 0 for a straight one.
    bean_mm : float
        How far the section is bent to the front at both sides: above about half of the depth it is concave behind.
    """

    semi_mm: tuple[float, float] = (6.0, 4.0)
    tilt_deg: tuple[float, float] = (0.0, 0.0)
    roll_deg: float = 0.0
    taper: tuple[float, float] = (0.0, 0.0)
    bend_mm: float = 0.0
    bean_mm: float = 0.0

    @property
    def area_mm2(self) -> float:
        """Area of the section at the middle; the bend of a bean changes none of it."""
        return float(np.pi * self.semi_mm[0] * self.semi_mm[1])

    def contains(self, x, y, z):
        """Whether points (mm; left, anterior, up) are in the tube; the shapes broadcast."""
        if self.bend_mm:
            radius, turn = np.hypot(y - self.bend_mm, z), np.arctan2(z, self.bend_mm - y)
            u, v, s = x, self.bend_mm - radius, turn * self.bend_mm
        else:
            tangent = np.array([*np.tan(np.deg2rad(self.tilt_deg)), 1.0])
            tangent /= np.linalg.norm(tangent)
            front = np.array([0, 1, 0]) - tangent[1] * tangent
            front /= np.linalg.norm(front)
            left = np.cross(front, tangent)
            u, v, s = (x * axis[0] + y * axis[1] + z * axis[2] for axis in (left, front, tangent))
        cos, sin = np.cos(np.deg2rad(self.roll_deg)), np.sin(np.deg2rad(self.roll_deg))
        u, v = cos * u + sin * v, cos * v - sin * u
        a, b = (half + change * s for half, change in zip(self.semi_mm, self.taper, strict=True))
        v = v - self.bean_mm * ((u / a) ** 2 - 0.25)
        return (u / a) ** 2 + (v / b) ** 2 <= 1


def draw(tube: Tube, spacing_mm=(0.5, 0.5, 0.5), length_mm=20.0, shift_mm=(0.0, 0.0, 0.0), margin_mm=6.0) -> Volume:
    """Return the share of each voxel that a tube fills, in RPI, float32, its middle at the volume's but for the shift."""
    reach = max(tube.semi_mm) + margin_mm + np.abs(np.tan(np.deg2rad(tube.tilt_deg))) * length_mm / 2
    if tube.bend_mm:
        reach = reach + length_mm**2 / 8 / tube.bend_mm
    counts = [int(np.ceil(2 * r / s)) for r, s in zip(reach, spacing_mm, strict=False)] + [
        max(1, round(length_mm / spacing_mm[2]))
    ]
    samples = [max(3, round(s / SAMPLE_MM)) | 1 for s in spacing_mm]
    x, y, z = (
        (((np.arange(n * k) + 0.5) / k - n / 2) * s + shift)
        for n, k, s, shift in zip(counts, samples, spacing_mm, shift_mm, strict=True)
    )
    data = np.zeros(counts, np.float32)
    for k in range(counts[2]):
        for height in z[k * samples[2] : (k + 1) * samples[2]]:
            near = tube.contains(x[::COARSE, None], y[None, ::COARSE], height)  # no tube is thinner than so many samples
            if near.any():
                box = [_voxels(near.any(axis=1 - axis), samples[axis], counts[axis]) for axis in (0, 1)]
                at = [slice(side.start * n, side.stop * n) for side, n in zip(box, samples, strict=False)]
                inside = tube.contains(x[at[0], None], y[None, at[1]], height)
                shape = (-1, samples[0], box[1].stop - box[1].start, samples[1])
                data[(*box, k)] += inside.reshape(shape).mean(axis=(1, 3)) / samples[2]
    return Volume(data, np.diag([-spacing_mm[0], *spacing_mm[1:], 1.0]))


def _voxels(near: np.ndarray, samples: int, count: int) -> slice:
    """Return the voxels of an axis with something inside, from whether every `COARSE`-th of its samples is."""
    first, last = np.flatnonzero(near)[[0, -1]] * COARSE
    return slice(max(0, (first - COARSE) // samples), min(count, (last + COARSE) // samples + 1))


def binary(volume: Volume) -> Volume:
    """Return the voxels that are at least half filled."""
    return volume.with_data((volume.data >= 0.5).astype(np.uint8))
