"""Studies are read from YAML, and checked, every arm's recipe too, before anything slow starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields

import yaml

from spineseg_cli.core.expectations import expect
from spineseg_cli.errors import InputError
from spineseg_cli.experiments.names import study_file, study_names
from spineseg_cli.experiments.study import Arm, Study
from spineseg_cli.metrics.agreement import METRICS
from spineseg_cli.reports.comparison import BASE
from spineseg_cli.synthesis.cohort import read_cohort
from spineseg_cli.training.configs.choices import COMPLETE
from spineseg_cli.training.configs.files import read_fields

BUDGETS = ("quick", "full")
TASKS = ("gm", "cord")
CENTERLINES = ("auto", "center", "exact")
CHARTS = ("boxes", "histograms")


def load_study(name_or_path: str, budget: str = "quick", changes: Iterable[str] = ()) -> Study:
    """Return a study, checked, every arm's recipe too.

    Parameters
    ----------
    name_or_path : str
        A study of the package, or a YAML file with the fields of `Study`; with `budgets`, {quick, full} with some of recipe, set,
        cohort, init, factors (of the sweep) and sweep (another one) each; with `sweep` beside or instead of arms, {name, recipe,
        init, set, factors: {factor: {value: fields of the recipe}}}: an arm of that name, by default `base`, and one for each
        value of each factor, all else as in the base.
    budget : str
        Of `BUDGETS`.
    changes : iterable of str
        "FIELD=VALUE" for every arm's recipe; what an arm sets itself stays.

    Raises
    ------
    InputError
        If there is no such study, or anything in it is unknown, missing or at odds with the rest.
    """
    path = study_file(name_or_path)
    if path is None:
        raise InputError(f"no study {name_or_path!r}; expected a YAML file with arms, or one of: {', '.join(study_names())}")
    where = f"the study {path.stem}"
    content = read_fields(path, where)
    content = {"name": path.stem, "title": path.stem, "budget": budget, **content}
    own = _options(content.pop("budgets", {}), BUDGETS, where, "budgets").get(budget, {})
    own = _options(own, ("recipe", "set", "cohort", "init", "factors", "sweep"), where, f"the budget {budget}")
    content["set"] = {**content.get("set", {}), **own.get("set", {}), **_parsed(changes)}
    if content.get("cohort") is not None:
        content["cohort"] = {**content["cohort"], **own.get("cohort", {})}
    content |= {name: own[name] for name in ("recipe", "init") if name in own}
    arms = content.get("arms") or []
    if not isinstance(arms, list):
        raise InputError(f"{where}: arms must be a list of arms; got {arms!r}")
    arms = arms + _swept(content.pop("sweep", None), own.get("factors", {}), where) + _swept(own.get("sweep"), {}, where)
    content["arms"] = [_made(Arm, arm, f"an arm of {where}") for arm in arms]
    study = _made(Study, content, where)
    _check(study, where)
    return study


def _check(study: Study, where: str) -> None:
    names = [arm.name for arm in study.arms]
    expect(names and len(set(names)) == len(names), where, "arms", "at least one arm, each with its own name", names)
    for name in names:
        expect(re.fullmatch(r"[\w.=+-]+", str(name)), where, "arms", "names of letters, digits, . _ - = +", name)
    expect(study.task in TASKS, where, "task", f"one of {', '.join(TASKS)}", study.task)
    lines = study.centerlines
    fits = isinstance(lines, (list, tuple)) and lines and set(lines) <= set(CENTERLINES) and lines[0] != "exact"
    expect(fits, where, "centerlines", f"a list of {', '.join(CENTERLINES)}, exact not the first", lines)
    fits = bool(study.metrics) and set(study.metrics) <= set(METRICS)
    expect(fits, where, "metrics", f"some of {', '.join(METRICS)}", study.metrics)
    expect(set(study.charts) <= set(CHARTS), where, "charts", f"some of {', '.join(CHARTS)}", study.charts)
    _options(study.split, ("test", "validation", "stratify", "given"), where, "split")
    shares = [study.split.get(part, 0.2) for part in ("test", "validation")]
    fits = all(isinstance(share, (int, float)) and 0 < share < 1 for share in shares) and sum(shares) < 1
    expect(fits or "given" in study.split, where, "split", "shares above 0 that leave subjects to train on", study.split)
    if study.finding is not None:
        _options(study.finding, ("arm", "claim"), where, "finding")
        expect(study.finding.get("arm") in names, where, "finding", f"an arm, of {', '.join(names)}", study.finding)
    if study.cohort is not None:
        read_cohort(study.cohort)
    for arm in study.arms:
        expect(isinstance(arm.set, dict), where, f"set of the arm {arm.name}", "fields of a recipe", arm.set)
        fits = arm.complete is None or arm.complete in COMPLETE
        expect(fits, where, f"complete of the arm {arm.name}", f"one of {', '.join(COMPLETE)}", arm.complete)
        expect(arm.finder is None or isinstance(arm.finder, dict), where, f"finder of the arm {arm.name}", "fields", arm.finder)
        study.recipe_of(arm)
        study.finder_recipe_of(arm)


def _swept(sweep, more: dict, where: str) -> list[dict]:
    """Return the arms of a sweep, one factor at a time from the base; `more` factors are those of a budget."""
    if sweep is None:
        return []
    _options(sweep, ("name", "recipe", "init", "set", "factors"), where, "sweep")
    base, factors = sweep.get("set") or {}, sweep.get("factors")
    factors = factors | more if isinstance(factors, dict) else factors
    fits = isinstance(factors, dict) and all(isinstance(values, dict) and values for values in factors.values())
    expect(fits, where, "sweep factors", "values of each factor, and fields of the recipe for each value", factors)
    start = {name: sweep[name] for name in ("recipe", "init") if name in sweep}
    name = sweep.get("name", BASE)
    arms = [start | {"name": name, "set": base}]
    for factor, values in factors.items():
        for value, changes in values.items():
            arm = {"name": f"{factor}={value}", "set": base | changes, "factor": str(factor), "value": str(value), "base": name}
            arms.append(start | arm)
    return arms


def _options(content, known: Sequence[str], where: str, what: str) -> dict:
    expect(isinstance(content, dict), where, what, f"some of {', '.join(known)}", content)
    unknown = sorted(str(name) for name in content.keys() - set(known))
    expect(not unknown, where, what, f"some of {', '.join(known)}", ", ".join(unknown))
    return content


def _made(kind, content, where: str):
    known = [f.name for f in fields(kind)]
    _options(content, known, where, "its fields")
    try:
        return kind(**content)
    except TypeError as error:
        raise InputError(f"{where} is incomplete: {error}") from error


def _parsed(changes: Iterable[str]) -> dict:
    parsed = {}
    for change in changes:
        name, equals, value = change.partition("=")
        try:
            parsed[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals:
            raise InputError(f"expected a change like epochs=5 or network.filters=24; got {change!r}")
    return parsed
