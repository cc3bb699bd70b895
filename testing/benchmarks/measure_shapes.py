"""How right `measure_cord` is: `python -m testing.benchmarks.measure_shapes [shapes] [...]`.

shapes     errors on tubes whose size is known, by shape, voxel and tilt, of soft and of binary masks; the usual tolerance is 3 %
coverage   how often 95 % intervals hold the truth: 200 masks with outlines moved at random; edges of phantoms with noise
contrasts  areas by mask and by the image's edge, of each subject with several contrasts, and from masks half a voxel off
own_masks  the same from the masks of seg_cord
segments   errors of the estimated spinal segments, on simulated subjects and on the PAM50 template
"""

from __future__ import annotations

import os
from pathlib import Path

import click
import numpy as np
from scipy import ndimage

from spineseg_cli.core.image.nifti import read_volume
from spineseg_cli.core.image.orientation import to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.morphometry import measure_cord
from spineseg_cli.morphometry.levels import levels_from_map
from spineseg_cli.morphometry.segments import locate_segments
from spineseg_cli.synthesis.canal import canal_slice
from spineseg_cli.synthesis.curve import make_curve
from spineseg_cli.synthesis.phantom import make_phantom
from spineseg_cli.synthesis.subject import draw_subject
from testing.morphometry.shapes import Tube, binary, draw
from testing.morphometry.subjects import simulate_subject

DATA = Path(os.environ.get("SPINESEG_SHARED", "../shared")) / "data"
VOXELS = ((0.3, 0.3, 0.3), (0.5, 0.5, 0.5), (0.7, 0.7, 0.7), (1.0, 1.0, 1.0), (0.5, 0.5, 5.0), (0.8, 0.8, 4.0), (4.0, 0.8, 0.8))
TILTS = ((0, 0), (20, 0), (0, 30), (45, 0), (0, 45), (30, 30))
SHAPES = {
    "cylinder": Tube(semi_mm=(4, 4)),
    "ellipse": Tube(roll_deg=10),
    "bean": Tube(bean_mm=3),
    "taper": Tube(taper=(-0.05, -0.03)),
}
SHIFTS_MM = ((0.0, 0.0, 0.0), (0.13, 0.21, 0.07), (0.3, 0.11, 0.4))
PHANTOM_VOXELS = ((0.5, 0.5, 0.5), (1.0, 1.0, 1.0), (0.5, 0.5, 5.0), (0.8, 0.8, 3.0))


def shapes() -> None:
    """Print a row a shape, voxel and tilt: errors of area (%), diameters (mm) and angles (degrees), soft then binary."""
    heads = ("mean", "worst", "AP", "RL", "angle")
    click.echo(
        f"{'shape':10s}{'voxel':>14s}{'tilt':>9s}"
        + "".join(f"{'soft ' + h:>12s}" for h in heads)
        + "".join(f"{'bin ' + h:>11s}" for h in heads)
    )
    for name, shape in SHAPES.items():
        for voxel in VOXELS:
            for tilt in TILTS:
                _shape_row(name, Tube(**{**vars(shape), "tilt_deg": tilt}), voxel)
    for bend in (60, 80, 120):
        for voxel in VOXELS:
            _shape_row(f"bend {bend}", Tube(bend_mm=bend), voxel, bend)


def _shape_row(name: str, tube: Tube, voxel, bend: float = 0.0) -> None:
    length = 12.0 if max(voxel) < 0.5 else 25.0
    errors = {False: [], True: []}
    for shift in SHIFTS_MM:
        share = draw(tube, voxel, length_mm=length, shift_mm=shift)
        for is_binary, out in errors.items():
            profile = measure_cord(binary(share) if is_binary else share).profile
            height = profile.frame.position_mm - (share.shape[2] - 1) / 2 * voxel[2] + shift[2]
            scale = profile.frame.stretch if any(tube.taper) else 1.0  # along the tube
            a, b = (half + change * height * scale for half, change in zip(tube.semi_mm, tube.taper, strict=True))
            angle = np.rad2deg(np.arcsin(np.clip(height / bend, -1, 1))) if bend else tube.tilt_deg[1]
            values = profile.values
            depth = _bean_depth(tube) if tube.bean_mm else 2 * b
            out.append((
                100 * (values["area_mm2"] / (np.pi * a * b) - 1),
                values["diameter_AP_mm"] - depth,
                values["diameter_RL_mm"] - 2 * a,
                np.maximum(np.abs(values["angle_RL_deg"] - angle), np.abs(values["angle_AP_deg"] - tube.tilt_deg[0])),
            ))  # fmt: skip
    cells = ""
    for out, width in ((errors[False], 12), (errors[True], 11)):
        area, depth, breadth, angle = (np.concatenate(column) for column in zip(*out, strict=True))
        numbers = (area.mean(), np.abs(area).max(), np.abs(depth).max(), np.abs(breadth).max(), angle.max())
        cells += "".join(f"{number:{width}.2f}" for number in numbers)
    click.echo(
        f"{name:10s}{'x'.join(f'{v:g}' for v in voxel):>14s}{','.join(f'{angle:g}' for angle in tube.tilt_deg):>9s}{cells}"
    )


def _bean_depth(tube: Tube) -> float:
    """Return 4 times the square root of the second moment of a bean front to back, sampled finely."""
    x, y = np.meshgrid(np.arange(-7, 7, 0.02), np.arange(-8, 8, 0.02), indexing="ij")
    front = y[Tube(semi_mm=tube.semi_mm, bean_mm=tube.bean_mm).contains(x, y, 0.0)]
    return float(4 * front.std())


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
    for number in range(24):
        contrast, voxel = ("t1", "t2", "t2s")[number % 3], PHANTOM_VOXELS[number // 3 % 4]
        top = rng.uniform(20, 300)
        region = (top, top + (40 if voxel[2] < 2 else 80))
        phantom = make_phantom(contrast=contrast, region=region, spacing_mm=voxel, fov_mm=(40, 50), noise=0.05, seed=number)
        area = _phantom_area(phantom, number)
        found = measure_cord(phantom.cord, image=phantom.image)
        values, errors = (part["area_edge_mm2"] for part in (found.profile.values, found.profile.errors))
        truth = area[found.profile.slices]
        held.setdefault("edges of phantoms", []).append(np.abs(values - truth) < 1.96 * errors)
        click.echo(f"phantom {contrast:4s} {voxel} from {top:3.0f} mm: edge {100 * (values.mean() / truth.mean() - 1):+.2f} %")
    for group, inside in held.items():
        click.echo(f"{group:24s} {len(inside):4d} {100 * np.concatenate(inside).mean():6.1f} %")


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


def contrasts() -> None:
    """Print areas of each subject by mask and by edge, and how much the latter changes with masks half a voxel off."""
    _print_contrasts(_label)


def own_masks() -> None:
    """Print the same from the masks that `seg_cord` draws."""
    from spineseg_cli import segment_cord
    from spineseg_cli.api.images import load_image

    _print_contrasts(lambda folder, name, label: load_image(segment_cord(_anatomy(folder, name)).mask, "mask"))


def _print_contrasts(find_mask) -> None:
    scans = {"unf01": [("unf01", contrast, "seg-manual") for contrast in ("T1w", "T2w", "T2star")]}
    for subject in ("errsm11", "errsm21"):
        scans[f"{subject} C2-C5"] = [
            ("errsm", f"sub-{subject}_acq-C2C5_{contrast}", "label-SC_seg") for contrast in ("T1w", "T2w")
        ]
    for subject in ("errsm18", "errsm21"):
        scans[subject] = [("errsm", f"sub-{subject}_{contrast}", "label-SC_seg") for contrast in ("T2w", "T2star")]
    for subject, files in scans.items():
        rows = [_contrast_row(_anatomy(*file[:2]), find_mask(*file)) for file in files]
        heights = min((row["height"] for row in rows), key=len)
        heights = heights[[all(row["height"].min() <= h <= row["height"].max() for row in rows) for h in heights]]
        for kind in ("mask", "edge"):
            areas = np.array([np.interp(heights, row["height"], row[kind]).mean() for row in rows])
            click.echo(f"{subject:16s}{kind:6s}{np.round(areas, 1)!s:28s} apart {100 * np.ptp(areas) / areas.mean():5.1f} %")
        for file, row in zip(files, rows, strict=True):
            click.echo(f"    {file[1]:34s} edge from a mask half a voxel smaller {row['less']:.3f}, larger {row['more']:.3f}")


def _full_name(folder: str, name: str) -> str:
    return name if name.startswith("sub-") else f"sub-{folder}_{name}"


def _anatomy(folder: str, name: str) -> Path:
    name = _full_name(folder, name)
    return DATA / "dev" / folder / name.split("_")[0] / "anat" / f"{name}.nii.gz"


def _label(folder: str, name: str, label: str) -> Volume:
    name = _full_name(folder, name)
    path = DATA / "dev" / folder / "derivatives" / "labels" / name.split("_")[0] / "anat" / f"{name}_{label}.nii.gz"
    return read_volume(path, kind="mask")


def _contrast_row(scan: Path, mask: Volume) -> dict:
    """Return heights in the world of the slices of a scan, mm, their areas, and the areas by edge from other masks over these."""
    image = read_volume(scan)
    first = measure_cord(mask, image=image).profile
    kept = first.whole & np.array(["edge_not_visible" not in flag for flag in first.flags])
    places = np.column_stack([first.rays.origins_vx, first.slices])[kept]
    row = {"height": places @ first.mask.volume.affine[2, :3] + first.mask.volume.affine[2, 3]}
    row |= {"mask": first.values["area_mm2"][kept], "edge": first.values["area_edge_mm2"][kept]}
    for key, shift in (("less", -0.5), ("more", 0.5)):
        other = measure_cord(_moved(to_rpi(mask), shift), image=to_rpi(image)).profile
        both = np.isin(other.slices, first.slices[kept])
        row[key] = other.values["area_edge_mm2"][both].mean() / row["edge"].mean()
    return row


def _moved(mask: Volume, voxels: float) -> Volume:
    """Return a mask whose outline is moved outward in each slice by so many voxels, soft."""
    inside = mask.data >= 0.5
    out = np.zeros(mask.shape, np.float32)
    for k in np.flatnonzero(inside.any(axis=(0, 1))):
        plane = inside[..., k]
        distance = ndimage.distance_transform_edt(plane) - ndimage.distance_transform_edt(~plane)
        out[..., k] = np.clip(0.5 + distance - np.sign(distance) / 2 + voxels, 0, 1)
    return mask.with_data(out)


def segments() -> None:
    """Print the errors of boundaries in view, mm, how often 90 % intervals hold them, and how wide they are."""
    for name, first, last in (
        ("whole", 0, 1),
        ("cervical", 0, 0.3),
        ("upper half", 0, 0.5),
        ("lower half", 0.5, 1),
        ("middle", 0.35, 0.65),
    ):
        rng = np.random.default_rng(0)
        errors, held, widths = [], [], []
        for _ in range(100):
            subject = simulate_subject(rng)
            length = subject.boundaries_mm[-1]
            seen = (subject.place_mm >= first * length) & (subject.place_mm <= last * length)
            top = subject.place_mm[seen][0]
            found = locate_segments(
                subject.place_mm[seen] - top, subject.area_mm2[seen], subject.ratio[seen], np.ones(seen.sum(), bool)
            )
            truth = subject.boundaries_mm - top
            inside = (truth >= 0) & (truth <= subject.place_mm[seen][-1] - top)
            errors += list(np.abs(found.position_mm - truth)[inside])
            held += list(((truth >= found.low_mm) & (truth <= found.high_mm))[inside])
            widths += list((found.high_mm - found.low_mm)[inside])
        numbers = f"median {np.median(errors):5.1f}  90 % {np.quantile(errors, 0.9):5.1f}  held {100 * np.mean(held):5.1f} %"
        click.echo(f"simulated, {name:12s} {numbers}  width {np.median(widths):5.1f}")
    full, small = DATA / "labels" / "pam50" / "PAM50_", DATA / "dev" / "pam50_small" / "PAM50_small_"
    found = measure_cord(_mask(f"{full}cord"), estimate_levels=True)
    true = levels_from_map(found.profile, to_rpi(_mask(f"{full}spinal_levels")))
    _template_row("PAM50, spinal levels", found, true)
    found = measure_cord(_mask(f"{small}cord"), image=read_volume(f"{small}t2.nii.gz"), estimate_levels=True)
    rootlets = to_rpi(_mask(f"{small}rootlets")).data[:, :, found.profile.slices].astype(int)
    true = np.array([np.bincount(plane[plane > 0], minlength=2).argmax() for plane in np.moveaxis(rootlets, 2, 0)])
    _template_row("PAM50 at 1 mm, rootlets", found, true)


def _mask(path: str) -> Volume:
    return read_volume(f"{path}.nii.gz", kind="mask")


def _template_row(name: str, found, true: np.ndarray) -> None:
    place = found.segments
    numbers = np.unique(true[true > 0])
    middles = (place.position_mm[1:] + place.position_mm[:-1]) / 2
    low, high = (place.low_mm[1:] + place.low_mm[:-1]) / 2, (place.high_mm[1:] + place.high_mm[:-1]) / 2
    truth = np.array([found.profile.distance_mm[true == n].mean() for n in numbers])
    errors = np.abs(truth - middles[numbers - 1])
    held = (truth >= low[numbers - 1]) & (truth <= high[numbers - 1])
    said = f"median {np.median(errors):.1f}  largest {errors.max():.1f}  held {100 * held.mean():.0f} %"
    click.echo(f"{name:24s} middles of {len(numbers)}: {said}")


PARTS = {"shapes": shapes, "coverage": coverage, "contrasts": contrasts, "own_masks": own_masks, "segments": segments}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
def main(parts: tuple[str, ...]) -> None:
    """Print the tables asked for, or all."""
    for part in parts or PARTS:
        click.echo(f"\n{part}")
        PARTS[part]()


if __name__ == "__main__":
    main()
