"""The rows of the confidence's tables: the features of slices and their Dice coefficients, also of masks that are damaged."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from spineseg_cli.core.confidence.assessment import Confidence, MaskPart, assess
from spineseg_cli.core.confidence.features import SAMPLE_MM, sampled_slices
from spineseg_cli.core.image.cropped import CroppedVolume
from spineseg_cli.core.image.intensity import prepared
from spineseg_cli.core.image.signal_part import SignalPart
from spineseg_cli.core.image.thin_slices import averaged_thin_slices
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.inference.predictor import Predictor
from spineseg_cli.core.localization.localizer import Localizer
from spineseg_cli.core.outlines.contour import move_to_edge
from spineseg_cli.core.outlines.cord import CordOutliner
from testing.disturbances.masks import DAMAGES
from testing.scans import DevScan

# Damaged masks are damaged in a single slice, or over so many mm.
DAMAGED_MM = (0, 0, 6, 20)

WHOLE = slice(0, None)


def slice_dice(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the Dice coefficient of each axial slice; 1 where both are empty."""
    common, total = (first & second).sum(axis=(0, 1)), first.sum(axis=(0, 1)) + second.sum(axis=(0, 1))
    return np.where(total, 2 * common / np.maximum(total, 1), 1.0)


def judged_slices(scan: DevScan, right: np.ndarray, kind: str) -> np.ndarray:
    """Return in which slices a mask can be judged: between the ends of the labels; all, in lumbar scans and those without cord.

    Distorted slices at the ends of the labels are left out.
    """
    filled = np.flatnonzero(right.any(axis=(0, 1)))
    if scan.is_lumbar or kind in ("beside", "below") or not len(filled):
        return np.ones(right.shape[2], bool)
    judged = np.zeros(right.shape[2], bool)
    judged[filled[0] + scan.distorted : filled[-1] + 1 - scan.distorted] = True
    return judged


def rows_of(
    confidence: Confidence, mask: np.ndarray, right: np.ndarray, scan: DevScan, kind: str, distance_mm: float, part: slice = WHOLE
) -> dict:
    """Return the features of the slices that a mask fills and that can be judged, those of thin slices 2 mm apart.

    `part` is the range of slices that are looked at.
    """
    kept = np.zeros(mask.shape[2], bool)
    kept[sampled_slices(mask.any(axis=(0, 1)), distance_mm)] = True
    kept &= judged_slices(scan, right, kind)
    kept &= np.isin(np.arange(len(kept)), np.arange(len(kept))[part])
    count = int(kept.sum())
    columns = {"dice": slice_dice(mask, right)[kept], "weight": np.full(count, 1 / max(count, 5))}
    columns |= {name: np.full(count, value) for name, value in (("subject", scan.subject), ("scan", scan.name), ("kind", kind))}
    return columns | {f"f_{name}": np.asarray(values)[kept] for name, values in confidence.features.items()}


def damaged_rows(scan: DevScan, image: Volume, right: np.ndarray, predictor: Predictor, localizer: Localizer) -> Iterator[dict]:
    """Yield the rows of each damage to the mask of a scan as it is: those of the damaged slices and of their neighbors."""
    rng, spacing_mm = np.random.default_rng(zlib.crc32(scan.name.encode())), np.array(image.spacing_mm)
    below, image = SignalPart.of(image).below, prepared(image)
    right = right[:, :, below : below + image.shape[2]]
    location = replace(localizer, cord=predictor).locate(image)
    outliner = CordOutliner(averaged_thin_slices(image), location, predictor)
    outlined, box = outliner.outline(), outliner.box
    mask, network = CroppedVolume(outlined.mask, image, bool).within(box), outlined.network.within(box)
    centers_vx = location.centers_vx[box[2]] - [side.start for side in box[:2]]
    more = {name: outlined.of_sections(name) for name in ("trust", "moved_mm")}
    filled, reach = np.flatnonzero(outlined.counts), max(1, round(SAMPLE_MM / spacing_mm[2]))
    for kind, damage in DAMAGES.items() if len(filled) else ():
        run = filled[np.abs(filled - rng.choice(filled)) * spacing_mm[2] <= rng.choice(DAMAGED_MM) / 2]
        damaged, seen = mask.copy(), network.copy()
        seen[..., run], damaged[..., run] = damage(network[..., run], mask[..., run], spacing_mm[:2], rng)
        outline = np.where(damaged, np.maximum(seen, 0.51), np.minimum(seen, 0.49))
        edge = move_to_edge(image.data[box][..., run], outline[..., run], image.spacing_mm)
        there = {name: values.copy() for name, values in more.items()}
        there["trust"][run], there["moved_mm"][run] = edge.trust, edge.moved_mm
        stacks = (image.data[box], seen, damaged)
        part = MaskPart(partial(planes_of, stacks), damaged.sum(axis=(0, 1)), box[2].start, centers_vx)
        confidence = assess("cord", part, image.spacing_mm, location.confidence, there)
        whole = np.zeros(image.shape, bool)
        whole[box] = damaged
        near = slice(max(box[2].start + run[0] - reach, 0), box[2].start + run[-1] + reach + 1)
        yield rows_of(confidence, whole, right, scan, kind, spacing_mm[2], near)


def planes_of(stacks: tuple[np.ndarray, ...], k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a slice of the scan, of the network's probability and of the mask."""
    image, network, mask = (stack[:, :, k] for stack in stacks)
    return image, network, mask
