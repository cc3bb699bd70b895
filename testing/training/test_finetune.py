"""Fine-tuning from scans to report: with a tiny network, and a stand-in for the search of the cord."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spineseg_cli.cli.finetune_tasks import SEGMENT, compare
from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.localization.localizer import ImageCenterLocalizer, MaskLocalizer
from spineseg_cli.errors import InputError, WeightsError
from spineseg_cli.metrics.path import PATH_METRICS
from spineseg_cli.tasks.gray_matter import segment_gray_matter
from spineseg_cli.training.configs.files import load_recipe
from spineseg_cli.training.finetune import finetune, run_plan
from spineseg_cli.training.outcome import account_of
from spineseg_cli.training.plan import find_start, make_plans, recipe_for
from spineseg_cli.weights.model import read_model

SHORT = ["epochs=1", "steps=2", "batch=2"]


@pytest.fixture(scope="module")
def data(phantom, tmp_path_factory):
    """Four subjects with one scan each; two have no mask of the cord."""
    folder = tmp_path_factory.mktemp("bids")
    for n in range(4):
        name, labels = f"sub-{n}", folder / "derivatives" / "labels" / f"sub-{n}" / "anat"
        noise = np.random.default_rng(n).normal(0, 1, phantom.image.shape).astype(np.float32)
        write_volume(folder / name / "anat" / f"{name}_T2star.nii.gz", phantom.image.with_data(phantom.image.data + noise))
        write_volume(labels / f"{name}_T2star_label-GM_seg.nii.gz", phantom.gray_matter, np.uint8)
        if n < 2:
            write_volume(labels / f"{name}_T2star_label-SC_seg.nii.gz", phantom.cord, np.uint8)
    split = "".join(f"sub-{n}\t{part}\n" for n, part in enumerate(("train", "validation", "train", "test")))
    (folder / "split.tsv").write_text("participant_id\tpart\n" + split)
    return folder


@pytest.fixture
def twins():
    """Of tests that want the light twin of what they train."""


@pytest.fixture(autouse=True)
def no_twins(request, monkeypatch):
    """The others save the second that it takes."""
    if "twins" not in request.fixturenames:
        monkeypatch.setattr("spineseg_cli.training.finetune._with_twin", lambda weights: weights)


def segment(image, model, *, centerline=None, runtime=None):
    """The gray-matter pipeline, with windows at the image's center."""
    predictor = replace(model.predictor("cpu"), **({} if runtime is None else {"open_runtime": lambda: runtime}))
    localizer = ImageCenterLocalizer() if centerline is None else MaskLocalizer(mask=centerline)
    return segment_gray_matter(image, predictor, localizer)


def plan_for(data, out, weights, *changes, **options):
    start = find_start("gm", str(weights))
    template = load_recipe("finetune_gm", [*SHORT, *changes])
    return make_plans("gm", data, out, template, start, **{"split_file": data / "split.tsv"} | options)


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def epochs(folder):
    return [row["epoch"] for row in rows(folder / "history.csv")]


def test_a_run_its_folder_and_going_on(data, tmp_path, tiny_weights, twins):
    before, out = files(data), tmp_path / "children"
    account = finetune(plan_for(data, out, tiny_weights), out, segment, compare, "cpu")
    assert files(data) == before
    (drawn,) = (out / "cord").iterdir()
    assert files(out) == {
        "split.tsv", "config.yaml", "sessions.json", "history.csv", "state.h5", "last.weights.h5", "children.weights.h5",
        "before.csv", "after.csv", "curves.svg", "model_card.md", "report.html", f"cord/{drawn.name}", "children.tflite",
        "test/01_sub-3_T2star_before.nii.gz", "test/01_sub-3_T2star_after.nii.gz",
    }  # fmt: skip
    model = read_model(out / "children.weights.h5")
    assert (model.outputs, model.config.window) == (("gray_matter", "cord"), 48)
    assert account.split == {"sub-0": "train", "sub-1": "validation", "sub-2": "train", "sub-3": "test"}
    assert "on 1 test subject, too few" in account.verdict
    assert account.facts["epochs"] == "1 of 1, of 2 batches of 2"
    assert rows(out / "before.csv")[0]["prediction"].endswith("01_sub-3_T2star_before.nii.gz")

    longer = plan_for(data, out, tiny_weights, "epochs=2")
    finetune(longer, out, segment, compare, "cpu")
    assert epochs(out) == ["-1", "0", "1"]
    report = (out / "report.html").read_bytes()
    with pytest.raises(InputError, match=r"other settings \(learning_rate\): choose another output folder"):
        finetune(plan_for(data, out, tiny_weights, "learning_rate=0.1"), out, segment, compare, "cpu")
    with pytest.raises(InputError, match=r"other settings \(.*split"):
        finetune(plan_for(data, out, tiny_weights, split_file=None), out, segment, compare, "cpu")
    assert (out / "report.html").read_bytes() == report
    assert "sub-3\ttest" in (out / "split.tsv").read_text()


def test_ctrl_c_keeps_the_best(data, tmp_path, tiny_weights, monkeypatch):
    from spineseg_cli.core.inference.runtime import import_tensorflow

    import_tensorflow()
    from spineseg_cli.training.checkpoint import Checkpoint

    finish = Checkpoint.end_epoch

    def interrupted(self, rate, scores):
        finish(self, rate, scores)
        raise KeyboardInterrupt

    def at_once(self, rate, scores):
        raise KeyboardInterrupt

    (plan,) = plan_for(data, tmp_path / "run", tiny_weights, "epochs=9", "surgery=expansion", "freeze=contraction")
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "end_epoch", interrupted)
        outcome = run_plan(plan, segment, compare, "cpu")
        assert epochs(plan.out) == ["-1", "0"]
        assert outcome.after.rows
        assert outcome.stopped
        old, new = (read_model(path).load_network() for path in (tiny_weights, plan.out / "last.weights.h5"))
        first, last = (old.layers[1].get_weights()[0], new.layers[1].get_weights()[0])
        np.testing.assert_array_equal(first, last)  # frozen
        assert (old.layers[-1].get_weights()[0] != new.layers[-1].get_weights()[0]).any()
        folds = plan_for(data, tmp_path / "folds", tiny_weights, split_file=None, folds=2)
        assert len(finetune(folds, tmp_path / "folds", segment, compare, "cpu").tested) == 2, "the other fold is not begun"
        patch.setattr(Checkpoint, "end_epoch", at_once)
        (other,) = plan_for(data, tmp_path / "other", tiny_weights)
        with pytest.raises(KeyboardInterrupt):  # nothing to keep
            run_plan(other, segment, compare, "cpu")


def test_folds_and_no_test(data, tmp_path, tiny_weights):
    out = tmp_path / "folds"
    plans = plan_for(data, out, tiny_weights, split_file=None, folds=2)
    account = finetune(plans, out, segment, compare, "cpu")
    assert sorted(account.tested) == ["sub-0", "sub-1", "sub-2", "sub-3"]
    assert "on 4 test subjects" in account.verdict
    assert {"report.html", "fold-1/report.html", "fold-2/folds_fold-2.weights.h5"} <= files(out)

    (plan,) = plan_for(data, tmp_path / "all", tiny_weights, split_file=None, shares=(0, 0.25))
    assert plan.scans_of("test") == []
    assert set(plan.split.values()) == {"train", "validation"}


def test_a_drawn_cord_belongs_to_one_scan_and_its_gray_mask(data, tmp_path, tiny_weights):
    """It is drawn before the run's settings are kept, so that a run may be called again with other scans or masks."""

    def drawn(folder):
        (plan,) = plan_for(folder, tmp_path / "run", tiny_weights, split_file=data / "split.tsv")
        return {Path(source["image"]).name: source["cord"] for source in plan.recipe.scans if "/run/cord/" in source["cord"]}

    other = shutil.copytree(data, tmp_path / "other")
    first = drawn(other)
    assert list(first) == ["sub-2_T2star.nii.gz"]
    (other / "derivatives/labels/sub-1/anat/sub-1_T2star_label-SC_seg.nii.gz").unlink()
    more = drawn(other)
    assert more["sub-2_T2star.nii.gz"] == first["sub-2_T2star.nii.gz"] != more["sub-1_T2star.nii.gz"]
    corrected = other / "derivatives/labels/sub-2/anat/sub-2_T2star_label-GM_seg.nii.gz"
    mask = read_volume(corrected, kind="mask")
    write_volume(corrected, mask.with_data(np.where(np.arange(mask.shape[2]) > 1, mask.data, 0)), np.uint8)
    assert drawn(other)["sub-2_T2star.nii.gz"] != first["sub-2_T2star.nii.gz"]


def test_what_weights_bring_along(data, tmp_path, tiny_weights, shared):
    (plan,) = plan_for(data, tmp_path, tiny_weights)
    assert plan.recipe.network == {"name": "unet2d", "filters": 2, "depth": 1, "classes": 2}
    assert plan.recipe.crop_sizes == [48]
    assert [Path(source["image"]).name[:5] for source in plan.recipe.scans] == ["sub-0", "sub-1", "sub-2"]
    (plan,) = plan_for(data, tmp_path, "gm")
    assert plan.recipe.crop_sizes == [96, 112, 128]
    (plan,) = plan_for(data, tmp_path, "scratch")
    assert (plan.start, plan.baseline.name) == (None, "gm")
    (plan,) = plan_for(data, tmp_path, shared / "peers/sct_gm/challenge_model.hdf5")
    assert (plan.recipe.augmentation, plan.recipe.crop_sizes, plan.recipe.outputs) == ("perone", [200], ["gray_matter"])
    assert plan.recipe.preprocessing["threshold"] == 0.5, "that of the loss it is trained by, not the published one"


def test_weights_that_do_not_fit(tiny_weights):
    with pytest.raises(WeightsError, match="expected weights that predict cord alone for the task cord; those of .* gray_matter"):
        find_start("cord", str(tiny_weights))
    with pytest.raises(WeightsError, match="no model 'nothing'"):
        find_start("gm", "nothing")
    with pytest.raises(WeightsError, match="expected weights of a 2d network for this run; those of cord3d are of a 3d one"):
        find_start("cord", "cord3d", "2d")
    with pytest.raises(WeightsError, match="expected weights of a 3d network for this run; those of cord are of a 2d one"):
        find_start("cord", "cord", "3d")
    with pytest.raises(InputError, match="the task gm has no network of kernel 3d: leave out --kernel"):
        find_start("gm", None, "3d")
    with pytest.raises(WeightsError, match="expected weights that predict centerline and cord alone for the task centerline"):
        find_start("centerline", str(tiny_weights))


def test_which_weights_and_recipe_a_task_starts_from():
    for arguments, model, recipe in (
        (("gm", None), "gm", "finetune_gm"),
        (("cord", None), "cord", "finetune_cord"),
        (("cord", None, "3d"), "cord3d", "finetune_cord3d"),
        (("cord", "cord3d"), "cord3d", "finetune_cord3d"),
        (("centerline", None), "centerline", "finetune_centerline"),
    ):
        start = find_start(*arguments)
        assert (start.name, recipe_for(arguments[0], start)) == (model, recipe)
        load_recipe(recipe)
    assert recipe_for("cord", find_start("cord", "scratch", "3d"), "3d") == "finetune_cord3d"


def test_a_light_twin_that_gives_the_same(data, tmp_path, tiny_weights, twins):
    (plan,) = plan_for(data, tmp_path / "run", tiny_weights)
    outcome = run_plan(plan, segment, compare, "cpu")
    model = read_model(outcome.weights)
    assert model.lite == tmp_path / "run" / "run.tflite"
    light, full = model.open_runtime("cpu"), replace(model, lite=None).open_runtime("cpu")
    assert (type(light).__name__, type(full).__name__) == ("LiteRTRuntime", "TensorFlowRuntime")
    windows = np.random.default_rng(0).standard_normal((3, 48, 48)).astype(np.float32)
    np.testing.assert_allclose(light.predict(windows), full.predict(windows), atol=1e-5)
    assert account_of([outcome]).facts["light twin"].startswith("run.tflite (sha256 ")


def test_a_standard_scale_is_learned_kept_and_applied(data, tmp_path, tiny_weights):
    (plan,) = plan_for(data, tmp_path / "run", tiny_weights, "nyul=true")
    landmarks = plan.recipe.preprocessing["landmarks"]
    assert landmarks == sorted(landmarks)
    assert (landmarks[0], landmarks[-1]) == (0, 100)
    outcome = run_plan(plan, segment, compare, "cpu")
    model = read_model(outcome.weights)
    assert model.config.landmarks == landmarks
    assert "standard scale" in account_of([outcome]).facts["intensities"]
    (other,) = plan_for(data, tmp_path / "next", outcome.weights)
    assert other.recipe.preprocessing["landmarks"] == landmarks, "weights go on with the scale they know"


def test_weights_that_no_epoch_has_bettered_stay_as_they_were(tubes, tmp_path, bright_is_cord):
    """With their thresholds: another would score otherwise, as if something had been learned."""
    options = {"spacing_mm": 0.5, "window": 64, "threshold": 0.7, "contrast_thresholds": {"t2": 0.9}}
    start = tiny_model(tmp_path / "tiny.weights.h5", {"name": "unet2d", "filters": 2, "depth": 1}, **options)
    (plan,) = cord_plan(tubes, tmp_path / "run", "cord", start, "learning_rate=100", patterns=PATTERNS)
    outcome = run_plan(plan, SEGMENT["cord"], compare, "cpu")
    model = read_model(outcome.weights)
    for old, new in zip(*(m.load_network().get_weights() for m in (start, model)), strict=True):
        np.testing.assert_array_equal(old, new)
    assert (model.config.threshold, model.config.contrast_thresholds) == (0.7, {"t2": 0.9})
    assert outcome.before.rows[0]["DSC"] == outcome.after.rows[0]["DSC"]
    assert account_of([outcome]).facts["kept"] == "its start: no epoch was better"


def test_thresholds_of_contrasts_stay_with_the_weights_that_they_were_chosen_for(tubes, tmp_path):
    options = {"spacing_mm": 0.5, "window": 64, "contrast_thresholds": {"t2": 0.9}}
    start = tiny_model(tmp_path / "tiny.weights.h5", {"name": "unet2d", "filters": 2, "depth": 1}, **options)
    (plan,) = cord_plan(tubes, tmp_path / "run", "cord", start, patterns=PATTERNS)
    assert not plan.recipe.preprocessing.get("contrast_thresholds")


def cord_plan(data, out, task, start, *changes, **options):
    template = load_recipe(recipe_for(task, start), ["epochs=1", "steps=2", "batch=2", "maps=[]", "real_share=1", *changes])
    return make_plans(task, data, out, template, start, **options)


@pytest.fixture(scope="module")
def tubes(tube, tmp_path_factory):
    """Three scans of slanted tubes in files that patterns find; the labels end with the tube."""
    folder = tmp_path_factory.mktemp("tubes")
    image, mask = tube((40, 44, 8), (1.0, 1.0, 3.0))
    cut = mask.data.copy()
    cut[:, :, 6:] = 0
    for name in ("anna", "ben", "eve"):
        noise = np.random.default_rng(len(name)).normal(0, 1, image.shape).astype(np.float32)
        write_volume(folder / "scans" / f"{name}_T2w.nii.gz", image.with_data(image.data * (cut + 0.1) + noise))
        write_volume(folder / "masks" / f"{name}_cord.nii.gz", mask.with_data(cut), np.uint8)
    return folder


PATTERNS = ("scans/*_T2w.nii.gz", "masks/*_cord.nii.gz")


def tiny_model(path, network, **preprocessing):
    from spineseg_cli.networks import build_network
    from spineseg_cli.weights.model import write_model

    write_model(build_network(**network), path, network, ("cord",), InferenceConfig(**preprocessing))
    return find_start("centerline" if preprocessing["spacing_mm"] == 1 else "cord", str(path))


def test_a_centerline_from_patterns_to_report(tubes, tmp_path, bright_is_cord):
    start = tiny_model(tmp_path / "tiny.weights.h5", {"name": "unet2d", "filters": 2, "depth": 1}, spacing_mm=1.0, window=32)
    plans = cord_plan(tubes, tmp_path / "run", "centerline", start, patterns=PATTERNS, complete="both")
    (plan,) = plans
    assert [source["complete"] for source in plan.recipe.scans] == ["both", "both"]
    assert sorted(plan.split) == ["anna", "ben", "eve"]
    account = finetune(plans, tmp_path / "run", SEGMENT["centerline"], compare, "cpu")
    (row,) = rows(tmp_path / "run" / "before.csv")
    assert float(row["median_mm"]) < 1
    assert (row["found_pct"], row["inside_pct"], row["slice"]) == ("100.0", "100.0", "")
    assert set(PATH_METRICS) <= set(row)
    assert "DSC" not in row
    assert "share of slices with the path in the cord (%) 100.000 before, 100.000 after" in account.verdict
    assert "median distance (mm)" in account.verdict
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(name in page for name in PATH_METRICS)
    assert "data:image/jpeg" in page
    mask = read_volume(next((tmp_path / "run" / "test").glob("*_after.nii.gz")), kind="mask")
    assert mask.data.sum(axis=(0, 1)).max() == 1


def test_a_3d_network_is_trained_on_stacks(tubes, tmp_path, bright_is_cord):
    network = {"name": "unet3d", "filters": 2}
    start = tiny_model(tmp_path / "tiny.weights.h5", network, spacing_mm=2.0, window=16, depth=8)
    changes = ("crop_sizes=[16]", "crop_depth=8", "overlap=0.25", "flips=false", "centerline=auto")
    (plan,) = cord_plan(tubes, tmp_path / "run", "cord", start, *changes, patterns=PATTERNS)
    assert (plan.recipe.crop_depth, plan.recipe.network, plan.finder.name) == (8, network, "centerline")
    overlaps = []

    def segment_stack(image, model, *, centerline=None, runtime=None, overlap):
        overlaps.append(overlap)
        return SEGMENT["cord"](image, model, runtime=runtime, overlap=overlap)

    outcome = run_plan(plan, segment_stack, compare, "cpu")
    model = read_model(outcome.weights)
    assert overlaps == [0.25, 0.25]
    assert (model.config.depth, model.lite) == (8, None)
    facts = account_of([outcome]).facts
    assert facts["light twin"] == "none"
    assert "never mirrored, centers moved by up to 2 mm, patches of 8 slices that overlap by 25%" in facts["images"]
    assert facts["images"].endswith("centered where centerline finds the cord")
    old, new = (m.load_network().get_weights() for m in (start, model))
    assert len(old) == len(new)


def test_a_full_disk_is_seen_before_anything_is_written(tubes, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=10e6))
    with pytest.raises(InputError, match=r"expected \d+ MB of free space in .* for this run; there are 10: choose another"):
        cord_plan(tubes, tmp_path / "run", "cord", find_start("cord", None), patterns=PATTERNS)
    assert not (tmp_path / "run").exists()
