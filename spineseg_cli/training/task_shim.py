"""Stands in for `tasks.task` until it is there."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Any

import numpy as np

from spineseg_cli.core.files import atomic_path
from spineseg_cli.core.image.orientation import from_rpi, to_rpi
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.metrics.evaluate import Case, evaluate
from spineseg_cli.metrics.path import PATH_METRICS, path_agreement
from spineseg_cli.metrics.table import KEYS, Table, write_table
from spineseg_cli.reports.measures import OF_MASKS, OF_PATHS
from spineseg_cli.weights.model import find_model


@dataclass(frozen=True)
class Loaded:
    name: str
    outputs: tuple
    config: Any
    runtime: Any
    overlap: float
    model: Any

    def open_runtime(self, device):
        return self.runtime


def image_center(image):
    scan = to_rpi(image)
    mask = np.zeros(scan.shape, np.uint8)
    mask[scan.shape[0] // 2, scan.shape[1] // 2] = 1
    return from_rpi(mask, image)


@dataclass(frozen=True)
class Task:
    name: str
    structure: str
    metrics: Any

    def predictor(self, model, device="auto", overlap=0.5, runtime=None):
        return Loaded(model.name, model.outputs, model.config, runtime or model.open_runtime(device), overlap, model)

    def predict(self, image, predictor, localizer=None):
        mask = image_center(image) if localizer == "center" else localizer if isinstance(localizer, Volume) else None
        finder = localizer if hasattr(localizer, "open_runtime") else None
        if self.name == "gm":
            from spineseg_cli.tasks.gray_matter import segment_gray_matter

            if localizer == "center":
                return segment_gray_matter(image, predictor.model, runtime=predictor.runtime)
            finder = None if predictor.model.legacy else finder or find_model("centerline")
            cord = finder and find_model("cord")
            return segment_gray_matter(
                image, predictor.model, finder=finder, cord_model=cord, centerline=mask, runtime=predictor.runtime
            )
        if self.name == "cord":
            from spineseg_cli.tasks.cord import segment_cord

            return segment_cord(
                image,
                predictor.model,
                finder=finder or find_model("centerline"),
                centerline=mask,
                overlap=predictor.overlap,
                runtime=predictor.runtime,
            )
        from spineseg_cli.tasks.centerline import centerline_of_mask, find_centerline

        return centerline_of_mask(mask) if mask is not None else find_centerline(image, predictor, cord=find_model("cord"))

    def evaluate(self, name, result, reference_names, references):
        if self.name == "centerline":
            keys = {"level": "volume", "statistic": "value", "prediction": name, "rater": "1", "slice": None}
            return [
                keys | {"reference": n} | path_agreement(result.slices, result.points_mm, r)
                for n, r in zip(reference_names, references, strict=True)
            ]
        return list(evaluate([Case(name, result.mask, tuple(reference_names), tuple(references))]).rows)

    def write_rows(self, path, rows):
        if self.name != "centerline":
            return write_table(path, Table(tuple(rows)))
        with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, (*KEYS, *PATH_METRICS), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


TASKS = {
    "gm": Task("gm", "gray matter", OF_MASKS),
    "cord": Task("cord", "cord", OF_MASKS),
    "centerline": Task("centerline", "centerline", OF_PATHS),
}
