"""What versions 0.8 and 0.9 wrote, in the words of this one: configurations, the states of runs, and command-line changes.

Those versions had flat configurations ("recipes"). Each old name has one new place here; a file of this version passes unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spineseg_cli.core.inference.legacy_names import current_names
from spineseg_cli.errors import InputError

# Old field: the new place of its value.
MOVED = {
    "maps": "data.label_maps",
    "scans": "data.labeled_scans",
    "real_share": "data.scan_fraction",
    "raters": "data.raters",
    "centerline": "data.crop_centers",
    "nyul": "data.learn_nyul",
    "surroundings_mm": "data.source_fov_mm",
    "crop_sizes": "sampling.crop_sizes",
    "crop_depth": "sampling.crop_depth",
    "overlap": "sampling.patch_overlap",
    "jitter_mm": "sampling.center_jitter_mm",
    "wide_share": "sampling.far_shift_prob",
    "wide_shift_mm": "sampling.far_shift_mm",
    "narrow_share": "sampling.cropped_fov_prob",
    "contrasts": "sampling.contrasts",
    "flips": "augmentation.mirror",
    "sagittal_share": "augmentation.sagittal_prob",
    "masked_share": "augmentation.masked_prob",
    "level_jitter": "augmentation.intensity_jitter",
    "preprocessing": "inference",
    "learning_rate": "optimizer.learning_rate",
    "schedule": "optimizer.schedule",
    "decay_power": "optimizer.schedule.power",
    "decay_by": "optimizer.schedule.per",
    "batch": "optimizer.batch_size",
    "steps": "optimizer.steps_per_epoch",
    "epochs": "optimizer.epochs",
    "precision": "optimizer.precision",
    "gpus": "optimizer.gpus",
    "freeze": "surgery.freeze",
    "unfreeze": "surgery.second_phase",
    "scores": "validation.metrics",
    "early_stopping": "validation.early_stopping",
    "keep_start": "validation.include_initial_weights",
}

# Fields whose old name is a section today: old values are told by their type.
MOVED_VALUES = {
    "augmentation": "augmentation.profile",
    "surgery": "surgery.reinitialize",
    "validation": "validation.subjects",
}

# Old names of options within a source, and old names among the values.
IN_MAPS = {"gray": "gray_matter"}
IN_SCANS = {"gray": "gray_matter", "slices": "max_slices", "trim": "trim_slices", "complete": "label_coverage"}
IN_SECOND_PHASE = {"keep": "freeze"}
SUBNETWORKS = {"contraction": "encoder", "expansion": "decoder", "none": None}
CROP_CENTERS = {"exact": "labels", "auto": "network"}
SCHEDULES = {"halve": "reduce_on_plateau"}


def migrate_config(content: Mapping[str, Any], where: str = "the configuration") -> dict[str, Any]:
    """Return the nested content of a configuration, whose old names are replaced.

    Raises InputError if an old name and its new place are both given.
    """
    out = {name: _copied(value) for name, value in content.items() if not _is_old(name, value)}
    schedule_options = {}
    for name, value in content.items():
        if not _is_old(name, value):
            continue
        field = MOVED_VALUES.get(name) or MOVED[name]
        if name in ("decay_power", "decay_by"):
            schedule_options[field.rpartition(".")[2]] = value
            continue
        _put(out, field, _migrated(name, value), name, where)
    if schedule_options and _schedule_name(out) in (None, "poly"):
        schedule = out.setdefault("optimizer", {}).setdefault("schedule", {"name": "poly"})
        if isinstance(schedule, str):
            schedule = out["optimizer"]["schedule"] = {"name": schedule}
        schedule.update(schedule_options)
    return _with_new_values(out)


def migrate_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run was started with, as its state holds it, in the words of this version: {"config": ..., other: ...}."""
    if "config" in settings:
        return dict(settings)
    fields = {name for name in settings if name in MOVED or name in ("name", "network", "outputs", "loss", "seed")}
    fields |= MOVED_VALUES.keys() & settings.keys()
    config = migrate_config({name: settings[name] for name in fields if settings[name] is not None}, "the run")
    return {"config": config} | {name: value for name, value in settings.items() if name not in fields}


def _is_old(name: str, value: Any) -> bool:
    if name in ("augmentation", "surgery"):
        return isinstance(value, str) or (name == "surgery" and value is None)
    if name == "validation":
        return isinstance(value, list)
    return name in MOVED


def _migrated(name: str, value: Any) -> Any:
    """Return an old field's value in new words."""
    if name == "maps" and isinstance(value, list):
        return [_renamed(source, IN_MAPS) for source in value]
    if name == "scans" and isinstance(value, list):
        return [_renamed(source, IN_SCANS) for source in value]
    if name == "unfreeze":
        return _renamed(value, IN_SECOND_PHASE)
    if name in ("surgery", "freeze") and isinstance(value, str):
        return SUBNETWORKS.get(value, value)
    if name == "centerline":
        return CROP_CENTERS.get(value, value)
    if name == "schedule" and isinstance(value, Mapping):
        return _renamed(value, {"by": "per"})
    return _copied(value)


def _with_new_values(out: dict[str, Any]) -> dict[str, Any]:
    """Return content whose old values, also in new places, are replaced."""
    optimizer, surgery = out.get("optimizer"), out.get("surgery")
    if isinstance(optimizer, dict) and "schedule" in optimizer:
        schedule = optimizer["schedule"]
        if isinstance(schedule, str):
            optimizer["schedule"] = SCHEDULES.get(schedule, schedule)
        elif isinstance(schedule, dict) and "name" in schedule:
            optimizer["schedule"] = schedule | {"name": SCHEDULES.get(schedule["name"], schedule["name"])}
    if isinstance(out.get("inference"), dict):
        out["inference"] = current_names(out["inference"])
    second = surgery.get("second_phase") if isinstance(surgery, dict) else None
    if isinstance(surgery, dict) and isinstance(second, dict) and isinstance(second.get("freeze"), str):
        surgery["second_phase"] = second | {"freeze": SUBNETWORKS.get(second["freeze"], second["freeze"])}
    return out


def _schedule_name(out: Mapping[str, Any]) -> str | None:
    schedule = (out.get("optimizer") or {}).get("schedule")
    return schedule if isinstance(schedule, str) or schedule is None else schedule.get("name")


def _put(out: dict[str, Any], field: str, value: Any, old: str, where: str) -> None:
    *sections, last = field.split(".")
    for section in sections:
        out = out.setdefault(section, {})
        if not isinstance(out, dict):
            raise InputError(f"{where}: {old} is the old name of {field}; expected fields in {section}")
    if last in out:
        raise InputError(f"{where}: {old} is the old name of {field}; give one of the two")
    out[last] = value


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    return {names.get(name, name): part for name, part in value.items()} if isinstance(value, Mapping) else value


def _copied(value: Any) -> Any:
    return {name: _copied(part) for name, part in value.items()} if isinstance(value, Mapping) else value


def migrate_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a run in the words of this version: 0.8 and 0.9 kept losses where rows are kept now."""
    if "first_loss" not in state and "best_epoch" not in state:
        return dict(state)
    names = ("rows", "start", "phase", "phase_start", "waited", "stopped")
    kept = {name: state[name] for name in names if name in state}
    for old, new in (("reference_loss", "reference"), ("first_loss", "first")):
        loss = state.get(old)
        kept[new] = None if loss is None else {"epoch": -1, "val_loss": loss}
    return kept


# Old name of a field of a study, or of one of its parts: the new name.
IN_STUDIES = {
    "arms": "variants",
    "recipe": "config",
    "centerlines": "localizers",
    "complete": "label_coverage",
    "finder": "localizer",
}
LOCALIZERS = {"auto": "network", "centre": "image_center", "center": "image_center", "exact": "mask"}


def migrate_experiment(content: Any) -> Any:
    """Return the content of a study in new words; its changes of configurations are migrated where they are made."""
    if isinstance(content, list):
        return [migrate_experiment(part) for part in content]
    if not isinstance(content, Mapping):
        return content
    out = {}
    for name, value in content.items():
        name = IN_STUDIES.get(name, name)
        if name == "localizers" and isinstance(value, list):
            value = [LOCALIZERS.get(part, part) for part in value]
        elif name == "finding" and isinstance(value, Mapping):
            value = _renamed(value, {"arm": "variant"})
        elif name in ("variants", "sweep"):
            value = migrate_experiment(value)
        elif name == "budgets" and isinstance(value, Mapping):
            value = {budget: migrate_experiment(inner) for budget, inner in value.items()}
        out[name] = value
    return out
