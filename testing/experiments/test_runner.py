"""Studies from a cohort to their page: with tiny networks, and stopped at any moment."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from spineseg_cli.cli.finetune_tasks import compare
from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.localization.localizer import ImageCenterLocalizer, MaskLocalizer
from spineseg_cli.errors import InputError
from spineseg_cli.experiments.files import load_study
from spineseg_cli.experiments.runner import Means, run_study
from spineseg_cli.experiments.scores import center_line
from spineseg_cli.metrics.table import Table
from spineseg_cli.synthesis.cohort import read_cohort
from spineseg_cli.synthesis.cohort_files import write_cohort
from spineseg_cli.tasks.gray_matter import segment_gray_matter
from spineseg_cli.training.data.dataset import read_rows, read_traits
from spineseg_cli.training.finetune import run_plan
from spineseg_cli.training.outcome import Outcome
from spineseg_cli.training.run_record import RunRecord
from spineseg_cli.weights.model import Model, read_model

STUDY = """
task: gm
recipe: finetune_gm
source: Someone 2000
set: {epochs: 1, steps: 2, batch: 2, early_stopping: null}
cohort: {kind: phantoms, subjects: 6, regions: {neck: [C2, C7], back: [T1, T6]}, slab_mm: 10, spacing_mm: [1.0, 1.0, 5.0],
         fov_mm: [40, 40]}
split: {test: 0.34, validation: 0.2, stratify: region}
centerlines: [center, exact]
charts: [boxes, histograms]
finding: {arm: fresh, claim: fresh is best}
arms:
  - {name: old, train: false}
  - {name: fresh, set: {surgery: all}}
  - {name: tuned, set: {augmentation: kumar}}
"""


def segment(image, model, *, centerline=None, runtime=None):
    predictor = replace(model.predictor("cpu"), **({} if runtime is None else {"open_runtime": lambda: runtime}))
    localizer = ImageCenterLocalizer() if centerline is None else MaskLocalizer(mask=centerline)
    return segment_gray_matter(image, predictor, localizer)


class Runs:
    """A stand-in for `run_plan` that takes the start for the result; `kill` is an arm that dies, `stop` one that is ended."""

    def __init__(self, kill=None, stop=None):
        self.arms, self.finders, self.kill, self.stop = [], [], kill, stop

    def __call__(self, plan, segment, compare, device, verbose):
        name = plan.out.name
        self.arms.append(name)
        self.finders.append(plan.finder and plan.finder.name)
        weights = plan.out / f"{name}.weights.h5"
        weights.parent.mkdir(parents=True, exist_ok=True)
        weights.write_bytes(plan.start.path.read_bytes())
        if name == self.kill:
            raise SystemExit("killed")
        masks, rows = [], []
        for scan in plan.scans_of("test"):
            found, path = (
                segment(read_volume(scan.image), plan.start, runtime=plan.start.open_runtime(device)),
                plan.out / scan.image.name,
            )
            write_volume(path, found.mask, np.uint8)
            rows += compare(str(scan.image), found.mask, ["expert"], [read_volume(scan.grays[0], kind="mask")])
            masks.append((scan, path, path))
        table = Table(tuple(rows))
        return Outcome(plan, weights, table, table, masks, RunRecord(plan.out), name == self.stop)


@pytest.fixture(autouse=True)
def no_network(monkeypatch, request, stub):
    """A stand-in for every network, but where a test is really to train."""
    if "really" not in request.node.name:
        monkeypatch.setattr(Model, "open_runtime", lambda self, device: stub)


@pytest.fixture(scope="module")
def study_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "small.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def small(study_path):
    return load_study(str(study_path))


@pytest.fixture(scope="module")
def cohort(study_path):
    return write_cohort(read_cohort(load_study(str(study_path)).cohort), study_path.parent / "data")


def carry_out(study, out, weights, runs, **more):
    return run_study(study, out, Means(runs, segment, compare, "cpu"), weights=str(weights), **more)


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_study_that_is_killed_goes_on(small, cohort, tmp_path, tiny_weights):
    out, beside = tmp_path / "out", {"adults": cohort}
    with pytest.raises(SystemExit):
        carry_out(small, out, tiny_weights, Runs(kill="tuned"), beside=beside)
    assert sorted({row["arm"] for row in table(out / "comparison.csv")}) == ["fresh", "old"]
    assert "1 of 3 arms are not done yet" in (out / "comparison.html").read_text()
    split = (out / "split.tsv").read_bytes()
    again, third = Runs(), Runs()
    found = carry_out(small, out, tiny_weights, again, beside=beside)
    assert again.arms == ["tuned"], "arms that are done are not run again"
    assert carry_out(small, out, tiny_weights, third, beside=beside).verdict == found.verdict
    assert third.arms == []
    assert (out / "split.tsv").read_bytes() == split

    assert found.data_sets == ["test", "test, exact centerline", "adults"]
    assert [arm.name for arm in found.arms] == ["old", "fresh", "tuned"]
    tested = sorted(subject for subject, part in found.split.items() if part == "test")
    counts = {data: len([row for row in table(out / "scores.csv") if row["data"] == data]) for data in found.data_sets}
    assert len(tested) == 2
    assert counts == {"test": 6, "test, exact centerline": 6, "adults": 18}
    assert found.verdict.startswith("Someone 2000 found: fresh is best. That ")
    assert "surgery: all" in (out / "comparison.html").read_text()


def test_really_training(study_path, cohort, tmp_path, tiny_weights):
    """The scores are those of the run, about the middle of the image, and those with the exact centerline are others."""
    study = load_study(str(study_path))
    study = replace(study, arms=[replace(study.arms[1], range_test=True, set={"surgery": "all", "learning_rate": 0.0})])
    found = carry_out(study, tmp_path, tiny_weights, run_plan, data=cohort)
    after = [row["DSC"] for row in table(tmp_path / "arms/fresh/after.csv") if row["statistic"] == "value"]
    scored = {data: [row for row in table(tmp_path / "scores.csv") if row["data"] == data] for data in found.data_sets}
    assert [float(row["DSC"]) for row in scored["test"]] == [float(value) for value in after]
    assert scored["test"] != scored["test, exact centerline"]
    assert "loss by learning rate" in (tmp_path / "comparison.html").read_text()
    assert found.arms[0].facts["epochs"] == "1 of 1, of 2 batches of 2"
    assert found.arms[0].facts["kept"] in ("epoch 1", "its start: no epoch was better")
    given, kept = (read_model(path).load_network() for path in (tiny_weights, tmp_path / "arms/fresh/fresh.weights.h5"))
    kernels = [(a.numpy(), b.numpy()) for a, b in zip(given.weights, kept.weights, strict=True) if "kernel" in a.path]
    assert len(kernels) == 7
    assert not any((a == b).all() for a, b in kernels), "after surgery of all, nothing of what it was given is kept"


def test_the_parts_hold_each_region_alike(small, cohort, tmp_path, tiny_weights):
    carry_out(small, tmp_path, tiny_weights, Runs(), data=cohort)
    regions = read_traits(cohort, "region")
    parts = {(regions[row["participant_id"]], row["part"]) for row in read_rows(tmp_path / "split.tsv", ["part"])}
    assert parts == {(region, part) for region in ("neck", "back") for part in ("train", "validation", "test")}


def test_what_the_user_stops_is_not_done(small, cohort, tmp_path, tiny_weights):
    found = carry_out(small, tmp_path, tiny_weights, Runs(stop="fresh"), data=cohort)
    assert [arm.name for arm in found.arms] == ["old"]
    assert not (tmp_path / "arms/fresh/arm.json").exists()
    assert not (tmp_path / "data").exists(), "no cohort is made where there is data"


def test_an_arm_whose_settings_change_is_run_again(small, study_path, cohort, tmp_path, tiny_weights):
    first, second = Runs(), Runs()
    carry_out(small, tmp_path, tiny_weights, first, data=cohort)
    carry_out(load_study(str(study_path), changes=["epochs=2"]), tmp_path, tiny_weights, second, data=cohort)
    assert first.arms == second.arms == ["fresh", "tuned"]
    with pytest.raises(InputError, match="holds another study, or other data or another budget"):
        carry_out(small, tmp_path, tiny_weights, Runs())


def test_mistakes_cost_nothing(small, cohort, tmp_path, tiny_weights):
    out = tmp_path / "out"
    with pytest.raises(InputError, match="needs weights to be scored; its init is scratch"):
        carry_out(small, out, "scratch", Runs())
    with pytest.raises(InputError, match="no model 'nothing'"):
        carry_out(small, out, "nothing", Runs())
    with pytest.raises(InputError, match="has no cohort of its own"):
        carry_out(replace(small, cohort=None), out, tiny_weights, Runs())
    with pytest.raises(InputError, match="expected a BIDS folder"):
        carry_out(small, out, tiny_weights, Runs(), beside={"adults": tmp_path / "nowhere"})
    with pytest.raises(InputError, match="would be called 'test' too: give that folder another name"):
        carry_out(small, out, tiny_weights, Runs(), beside={"test": cohort})
    assert not out.exists()
    with pytest.raises(InputError, match="expected the columns site in"):
        carry_out(replace(small, split={"stratify": "site"}), out, tiny_weights, Runs(), data=cohort)


def test_scores_of_other_weights_are_not_taken(small, cohort, tmp_path, tiny_weights):
    carry_out(small, tmp_path, tiny_weights, Runs(), data=cohort)
    kept = tmp_path / "arms/old/scores_test.json"
    content = json.loads(kept.read_text())
    kept.write_text(json.dumps(content | {"model": "0" * 64}))
    (tmp_path / "arms/old/scores_test.csv").write_text("nonsense\n")
    found = carry_out(small, tmp_path, tiny_weights, Runs(), data=cohort)
    assert json.loads(kept.read_text()) == content
    assert np.isfinite(found.arms[0].values("test", "TNR_pct")).all()


def test_the_middle_of_an_image(phantom, stored_as):
    image = stored_as(phantom.image, "SPL")
    marked = np.argwhere(center_line(image).data)
    assert sorted(marked[:, 0]) == list(range(image.shape[0])), "once in each axial slice"
    assert {tuple(place) for place in marked[:, 1:]} == {(image.shape[1] // 2 - 1, image.shape[2] // 2)}


def test_an_arm_with_its_own_finder(small, cohort, tiny_weights, tmp_path):
    """It is trained first; the arm's crops lie along what it finds, and its test scans are segmented with it: no other arm's."""
    seen = []

    def segment_with(image, model, *, finder=None, **options):
        seen.append(finder and finder.name)
        return segment(image, model, **{"centerline": center_line(image)} | options)

    def find_path(image, model, **_):
        return segment(image, read_model(tiny_weights), centerline=center_line(image))

    tuned = small.arms[2]
    arms = [tuned, replace(tuned, name="led", finder={"epochs": 1}, set=tuned.set | {"centerline": "auto"})]
    study = replace(small, arms=arms, finding=None, centerlines=["auto"])
    runs = Runs()
    means = Means(runs, segment_with, compare, "cpu", find_path=find_path)
    run_study(study, tmp_path / "out", means, data=cohort, weights=str(tiny_weights))
    assert runs.arms == ["tuned", "finder", "led"]
    assert runs.finders == [None, None, "finder"]
    half = len(seen) // 2
    assert set(seen[:half]) == {None}
    assert set(seen[half:]) == {"finder"}
