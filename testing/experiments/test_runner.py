"""Experiments from a cohort to their page, with tiny networks, stopped at any moment."""

import csv
import json

import numpy as np
import pytest

from spineseg_cli.core.localization.localizer import ImageCenterLocalizer
from spineseg_cli.errors import InputError
from spineseg_cli.experiments import runner
from spineseg_cli.experiments.cohort_files import write_cohort
from spineseg_cli.experiments.config import load_experiment
from spineseg_cli.experiments.runner import run_experiment
from spineseg_cli.training.data.scan_tables import read_scan_table, read_traits
from spineseg_cli.training.evaluation import Evaluation, Evaluator
from spineseg_cli.training.finetune import RunResult, run_plan
from spineseg_cli.weights.files import read_model
from spineseg_cli.weights.model import Model

STUDY = """
task: gm
config: finetune_gm
source: Someone 2000
set: {optimizer: {epochs: 1, steps_per_epoch: 2, batch_size: 2}, validation: {select_by: crops, early_stopping: null}}
cohort: {kind: phantoms, subjects: 6, regions: {neck: [C2, C7], back: [T1, T6]}, slab_mm: 10, spacing_mm: [1.0, 1.0, 5.0],
         fov_mm: [40, 40]}
split: {test: 0.34, validation: 0.2, stratify: region}
localizers: [image_center, mask]
metrics: [DSC, MSD_mm]
charts: [boxes, histograms]
finding: {variant: fresh, claim: fresh is best}
variants:
  - {name: old, train: false}
  - {name: fresh, set: {surgery.reinitialize: all}}
  - {name: tuned, set: {augmentation.profile: kumar}}
"""


class Runs:
    """A stand-in for `run_plan` that takes the start for the result; `kill` is a variant that dies, `stop` one that is ended."""

    def __init__(self, kill=None, stop=None):
        self.names, self.finders, self.kill, self.stop = [], [], kill, stop

    def __call__(self, plan, device, verbose, localize=None):
        name = plan.folder.name
        self.names.append(name)
        self.finders.append(plan.search and plan.search.name)
        weights = plan.folder / f"{name}.weights.h5"
        weights.parent.mkdir(parents=True, exist_ok=True)
        weights.write_bytes(plan.start.path.read_bytes())
        if name == self.kill:
            raise SystemExit("killed")
        run = plan.open_run()
        run.interrupted = name == self.stop
        found = Evaluation()
        if localize:
            found = Evaluator(plan.task, device, localize=localize).evaluate(plan.start, plan.scans_of("test"), plan.folder)
        return RunResult(plan, run, read_model(weights), found, found)


@pytest.fixture(autouse=True)
def no_network(monkeypatch, request, stub):
    """Replace every network by a stub, except in tests that train."""
    if "really" not in request.node.name:
        monkeypatch.setattr(Model, "open_runtime", lambda self, device, *_: stub)
    monkeypatch.setattr("spineseg_cli.training.finetune.LIGHT", False)


@pytest.fixture(scope="module")
def study_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "small.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def small(study_path):
    return load_experiment(str(study_path))


@pytest.fixture(scope="module")
def cohort(study_path):
    return write_cohort(load_experiment(str(study_path)).cohort, study_path.parent / "data")


@pytest.fixture
def carry_out(monkeypatch, tiny_weights):
    """A function that runs an experiment with a stand-in for the training of its variants."""

    def run(experiment, out, runs, weights=tiny_weights, **more):
        monkeypatch.setattr(runner, "run_plan", runs)
        return run_experiment(experiment, out, weights=str(weights), device="cpu", **more)

    return run


def changed(experiment, **fields):
    return experiment.model_copy(update=fields)


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_an_experiment_that_is_killed_goes_on(small, cohort, tmp_path, carry_out):
    out, extra = tmp_path / "out", {"adults": cohort}
    with pytest.raises(SystemExit):
        carry_out(small, out, Runs(kill="tuned"), extra_test_sets=extra)
    assert sorted({row["variant"] for row in table(out / "comparison.csv")}) == ["fresh", "old"]
    assert "1 of 3 variants are not done yet" in (out / "comparison.html").read_text()
    split = (out / "split.tsv").read_bytes()
    again, third = Runs(), Runs()
    found = carry_out(small, out, again, extra_test_sets=extra)
    assert again.names == ["tuned"], "variants that are done are not run again"
    assert carry_out(small, out, third, extra_test_sets=extra).verdict == found.verdict
    assert third.names == []
    assert (out / "split.tsv").read_bytes() == split

    assert found.data_sets == ["test", "test, mask localizer", "adults"]
    assert [variant.name for variant in found.variants] == ["old", "fresh", "tuned"]
    tested = sorted(subject for subject, subset in found.split.items() if subset == "test")
    counts = {data: len([row for row in table(out / "scores.csv") if row["data"] == data]) for data in found.data_sets}
    assert len(tested) == 2
    assert counts == {"test": 6, "test, mask localizer": 6, "adults": 18}
    assert found.verdict.startswith("Someone 2000 found: fresh is best. That ")
    assert "short budget" in found.verdict
    assert "surgery.reinitialize: all" in (out / "comparison.html").read_text()


def test_really_training(small, cohort, tmp_path, tiny_weights, carry_out):
    """The metrics are those of the run, about the middle of the image, and those along the expert's mask are others."""
    fresh = small.variants[1].model_copy(
        update={"range_test": True, "set": {"surgery.reinitialize": "all", "optimizer.learning_rate": 0.0}}
    )
    found = carry_out(changed(small, variants=(fresh,)), tmp_path, run_plan, data=cohort)
    after = [row["DSC"] for row in table(tmp_path / "variants/fresh/after.csv") if row["statistic"] == "value"]
    scored = {data: [row for row in table(tmp_path / "scores.csv") if row["data"] == data] for data in found.data_sets}
    assert [float(row["DSC"]) for row in scored["test"]] == [float(value) for value in after]
    assert scored["test"] != scored["test, mask localizer"]
    assert "loss by learning rate" in (tmp_path / "comparison.html").read_text()
    assert found.variants[0].facts["epochs"] == "1 of 1, of 2 batches of 2"
    assert found.variants[0].facts["best"] == "epoch 1, by loss on the validation subjects"
    given, kept = (read_model(path).load_network() for path in (tiny_weights, tmp_path / "variants/fresh/fresh.weights.h5"))
    kernels = [(a.numpy(), b.numpy()) for a, b in zip(given.weights, kept.weights, strict=True) if "kernel" in a.path]
    assert len(kernels) == 7
    assert not any((a == b).all() for a, b in kernels), "after surgery of all, nothing of what it was given is kept"


def test_the_subsets_hold_each_region_alike(small, cohort, tmp_path, carry_out):
    carry_out(small, tmp_path, Runs(), data=cohort)
    regions = read_traits(cohort, "region")
    subsets = {(regions[row["participant_id"]], row["subset"]) for row in read_scan_table(tmp_path / "split.tsv", ["subset"])}
    assert subsets == {(region, subset) for region in ("neck", "back") for subset in ("train", "validation", "test")}


def test_what_the_user_stops_is_not_done(small, cohort, tmp_path, carry_out):
    found = carry_out(small, tmp_path, Runs(stop="fresh"), data=cohort)
    assert [variant.name for variant in found.variants] == ["old"]
    assert not (tmp_path / "variants/fresh/variant.json").exists()
    assert not (tmp_path / "data").exists(), "no cohort is made where there is data"


def test_a_variant_whose_settings_change_is_run_again(small, study_path, cohort, tmp_path, carry_out):
    first, second = Runs(), Runs()
    carry_out(small, tmp_path, first, data=cohort)
    carry_out(load_experiment(str(study_path), changes={"optimizer.epochs": 2}), tmp_path, second, data=cohort)
    assert first.names == second.names == ["fresh", "tuned"]
    with pytest.raises(InputError, match="holds another study, or other data or another budget"):
        carry_out(small, tmp_path, Runs())


def test_mistakes_cost_nothing(small, cohort, tmp_path, carry_out):
    out = tmp_path / "out"
    with pytest.raises(InputError, match="needs weights to be evaluated; its init is scratch"):
        carry_out(small, out, Runs(), "scratch")
    with pytest.raises(InputError, match="no model 'nothing'"):
        carry_out(small, out, Runs(), "nothing")
    with pytest.raises(InputError, match="has no cohort of its own"):
        carry_out(changed(small, cohort=None), out, Runs())
    with pytest.raises(InputError, match="expected a BIDS folder"):
        carry_out(small, out, Runs(), extra_test_sets={"adults": tmp_path / "nowhere"})
    with pytest.raises(InputError, match="would be called 'test', as the test is: give that folder another name"):
        carry_out(small, out, Runs(), extra_test_sets={"test": cohort})
    assert not out.exists()
    with pytest.raises(InputError, match="expected the columns site in"):
        carry_out(changed(small, split=small.split.model_copy(update={"stratify": "site"})), out, Runs(), data=cohort)


def test_evaluations_of_other_weights_are_not_taken(small, cohort, tmp_path, carry_out):
    carry_out(small, tmp_path, Runs(), data=cohort)
    kept = tmp_path / "variants/old/metrics_test.json"
    content = json.loads(kept.read_text())
    kept.write_text(json.dumps(content | {"model": "0" * 64}))
    (tmp_path / "variants/old/metrics_test.csv").write_text("nonsense\n")
    found = carry_out(small, tmp_path, Runs(), data=cohort)
    assert json.loads(kept.read_text()) == content
    assert np.isfinite(found.variants[0].values("test", "TNR_pct")).all()


def test_a_variant_with_its_own_localizer(small, cohort, tmp_path, carry_out, monkeypatch):
    """It is trained first, and then used for the crops and the test scans of its variant only."""
    searched = []

    class Recording(Evaluator):
        def evaluate(self, weights, scans, folder=None, suffix=""):
            searched.append(self.localize and self.localize(scans[0]).search.name)
            at_center = Evaluator(self.task, self.device, localize=lambda scan: ImageCenterLocalizer())
            return at_center.evaluate(weights, scans, folder)

    monkeypatch.setattr(runner, "Evaluator", Recording)
    tuned = small.variants[2].model_copy(update={"train": False})
    led = small.variants[2].model_copy(
        update={"name": "led", "localizer": {"optimizer.epochs": 1}, "set": {"data.crop_centers": "network"}}
    )
    experiment = changed(small, variants=(tuned, led), finding=None, localizers=("network",))
    runs = Runs()
    carry_out(experiment, tmp_path / "out", runs, data=cohort)
    assert runs.names == ["localizer", "led"]
    assert runs.finders == [None, "localizer"]
    assert searched == [None], "what was evaluated with the run is not evaluated again"
