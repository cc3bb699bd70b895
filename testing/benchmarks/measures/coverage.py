"""How often 95 % intervals hold the truth: of masks whose outlines are moved at random; and edges of phantoms with noise."""

from __future__ import annotations

import click
import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry import measure_cord
from spineseg_cli.synthesis.canal import canal_slice
from spineseg_cli.synthesis.curve import make_curve
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.synthesis.subject import draw_subject
from testing.morphometry.shapes import binary

# Most phantoms have voxels of 1 mm, where edges are hardest.
PHANTOMS = 45
PHANTOM_VOXELS = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.8, 0.8, 3.0), (1.0, 1.0, 1.0), (0.5, 0.5, 0.5))


def coverage() -> None:
    """Print how often 95 % intervals hold the truth."""
    rng = np.random.default_rng(0)
    held: dict[str, list] = {}
    for _ in range(200):
        mask, area, kind = _noisy_mask(rng)
        profile = measure_cord(mask).profile
        inside = np.abs(profile.values["area_mm2"] - area[profile.slices]) < 1.96 * profile.errors["area_mm2"]
        for group in ("all masks", *kind):
            held.setdefault(group, []).append(inside)
    for group, inside in held.items():
        click.echo(f"{group:24s} {len(inside):4d} {100 * np.concatenate(inside).mean():6.1f} %")


def edges() -> None:
    """Print the error of the area inside the image's edge on phantoms with roots and noise, and how often its intervals hold."""
    rng = np.random.default_rng(11)
    rows: dict[tuple, list] = {}
    for number in range(PHANTOMS):
        contrast, voxel = ("t1", "t2", "t2s")[number % 3], PHANTOM_VOXELS[number // 3 % len(PHANTOM_VOXELS)]
        top, seed = rng.uniform(20, 300), 1000 + number
        region = (top, top + (40 if voxel[2] < 2 else 80))
        phantom = make_phantom(contrast=contrast, region=region, spacing_mm=voxel, fov_mm=(40, 50), noise=0.05, seed=seed)
        profile = measure_cord(phantom.cord, image=phantom.image).profile
        area = _phantom_area(phantom, seed)[profile.slices][profile.whole]
        found, error = (part["area_edge_mm2"][profile.whole] for part in (profile.values, profile.errors))
        bias, held = 100 * (found.mean() / area.mean() - 1), (np.abs(found - area) < 1.96 * error).mean()
        rows.setdefault(voxel, []).append((bias, 100 * held))
        click.echo(
            f"phantom {contrast:4s} {voxel} from {top:3.0f} mm, {area.mean():.0f} mm2: {bias:+.2f} %, held {100 * held:.0f} %"
        )
    for voxel, numbers in rows.items():
        bias, held = np.array(numbers).T
        said = f"mean {bias.mean():+.2f} %, root mean square {np.sqrt((bias**2).mean()):.2f} %, worst {np.abs(bias).max():.2f} %"
        click.echo(f"{voxel!s:18s}{len(bias):3d} phantoms: {said}, held {held.mean():.0f} %")


def _noisy_mask(rng: np.random.Generator) -> tuple[Volume, np.ndarray, tuple[str, str]]:
    """Return a mask whose outline is moved at random, the true area of each slice, and what kind it is.

    The outline's errors have a standard deviation of 0.02 to 0.15 mm, and go together over 11 degrees around and a blur of 0.1 to
    3 mm along the cord; the cord is tilted, bent, and changes its size over 80 to 160 mm.
    """
    voxel = ((0.5, 0.5, 0.5), (0.8, 0.8, 0.8), (1.0, 1.0, 1.0), (0.5, 0.5, 3.0), (0.7, 0.7, 5.0))[rng.integers(5)]
    count = int(rng.uniform(30, 90) / voxel[2])
    z = (np.arange(count) - (count - 1) / 2) * voxel[2]
    tilt, bend = np.tan(np.deg2rad(rng.uniform(-25, 25, 2))), rng.uniform(-1, 1) / 120
    centers = np.stack([tilt[0] * z, tilt[1] * z + bend * z**2 / 2], axis=-1) + rng.uniform(-0.25, 0.25, 2)
    slopes = np.stack([np.full(count, tilt[0]), tilt[1] + bend * z], axis=-1)
    waves = 1 + 0.1 * np.sin(2 * np.pi * z / rng.uniform(80, 160) + rng.uniform(0, 6))
    a, b = rng.uniform(4.5, 6.5) * waves, rng.uniform(3.0, 4.2) * np.sqrt(waves)
    along = rng.uniform(0.1, 3.0)
    noise = ndimage.gaussian_filter(rng.normal(size=(count, 96)), (along / voxel[2], 3), mode=("nearest", "wrap"))
    noise *= rng.uniform(0.02, 0.15) / noise.std()
    counts = [int(np.ceil((2 * np.abs(centers[:, i]).max() + 18) / voxel[i])) for i in (0, 1)]
    x, y = (((np.arange(5 * n) + 0.5) / 5 - n / 2) * s for n, s in zip(counts, voxel[:2], strict=True))
    data = np.empty((*counts, count), np.float32)
    for k in range(count):
        dx, dy = x[:, None] - centers[k, 0], y - centers[k, 1]
        shorter = 1 - 1 / np.sqrt(1 + (slopes[k] ** 2).sum())  # along the tilt, to the section perpendicular to the cord
        direction = slopes[k] / max(np.linalg.norm(slopes[k]), 1e-9)
        aside = (dx * direction[0] + dy * direction[1]) * shorter
        u, v = dx - aside * direction[0], dy - aside * direction[1]
        angle = np.arctan2(v, u)
        radius = (np.cos(angle) ** 2 / a[k] ** 2 + np.sin(angle) ** 2 / b[k] ** 2) ** -0.5
        radius += np.interp(angle % (2 * np.pi), np.linspace(0, 2 * np.pi, 97), [*noise[k], noise[k, 0]])
        data[..., k] = (np.hypot(u, v) < radius).reshape(counts[0], 5, counts[1], 5).mean(axis=(1, 3))
    share = Volume(data, np.diag([-voxel[0], *voxel[1:], 1.0]))
    soft = rng.random() < 0.5
    kind = ("soft" if soft else "binary", "errors of one slice" if along < voxel[2] / 2 else "errors of many slices")
    return share if soft else binary(share), np.pi * a * b, kind


def _phantom_area(phantom, seed: int) -> np.ndarray:
    """Return the area of a phantom's cord in each slice, from the anatomy that it was made of."""
    subject = draw_subject(np.random.default_rng([seed, 0]))
    curve = make_curve(subject, 1.0, 1.0)
    affine = phantom.image.affine
    heights = affine[2, 3] + np.arange(phantom.image.shape[2]) * affine[2, 2]
    parts = heights[:, None] + ((np.arange(5) + 0.5) / 5 - 0.5) * affine[2, 2]
    arcs = curve.at(-parts)[2]
    return np.array([[canal_slice(float(arc), subject).cord.area_mm2 for arc in row] for row in arcs]).mean(axis=1)
