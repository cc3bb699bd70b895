"""Fine-tuning from scans to report, with a tiny network and the cord at the center of the image."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from spineseg_cli.core.image.nifti import read_volume, write_volume
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.localization.localizer import ImageCenterLocalizer
from spineseg_cli.errors import InputError, WeightsError
from spineseg_cli.metrics.metric_set import PATH_METRICS
from spineseg_cli.tasks.task import Task
from spineseg_cli.training.config_files import load_config
from spineseg_cli.training.data.find_scans import ScanSource
from spineseg_cli.training.data.labeled_scans import LabeledScan
from spineseg_cli.training.data.missing_cords import draw_missing_cords, with_cord_to_draw
from spineseg_cli.training.data.split import SplitRequest
from spineseg_cli.training.evaluation import CommandValidation, Evaluator
from spineseg_cli.training.finetune import finetune, run_plan
from spineseg_cli.training.plan import config_for, find_start, make_plans
from spineseg_cli.training.report import report_of
from spineseg_cli.weights.files import read_model

SHORT = {"optimizer": {"epochs": 1, "steps_per_epoch": 2, "batch_size": 2}}


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
    (folder / "split.tsv").write_text("participant_id\tsubset\n" + split)
    return folder


@pytest.fixture
def light():
    """For tests that need the export for LiteRT."""


@pytest.fixture(autouse=True)
def not_light(request, monkeypatch):
    """Skip the export for LiteRT, which takes a second, in all other tests."""
    if "light" not in request.fixturenames:
        monkeypatch.setattr("spineseg_cli.networks.export.write_tflite", lambda *_: pytest.fail("is not wanted here"))
        monkeypatch.setattr("spineseg_cli.training.finetune.LIGHT", False)


@pytest.fixture
def at_center(monkeypatch):
    """The cord at the image's center, in place of the search for it; by the search, a phantom this small has none."""
    monkeypatch.setattr(Task, "localizer", lambda self, predictor: ImageCenterLocalizer())


def plan_for(data, out, weights, changes=None, **options):
    template = load_config("finetune_gm", {**SHORT, **(changes or {})})
    request = SplitRequest(**({"file": data / "split.tsv"} | options))
    return make_plans("gm", ScanSource(data), out, template, find_start("gm", str(weights)), request)


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def epochs(folder):
    return [row["epoch"] for row in rows(folder / "history.csv")]


def test_a_run_its_folder_and_going_on(data, tmp_path, tiny_weights, light, at_center):
    before, out = files(data), tmp_path / "children"
    report = finetune(plan_for(data, out, tiny_weights), out, "cpu")
    assert files(data) == before
    (drawn,) = (out / "cord").iterdir()
    assert files(out) == {
        "split.tsv", "config.yaml", "sessions.json", "history.csv", "state.h5", "last.weights.h5", "children.weights.h5",
        "before.csv", "after.csv", "curves.svg", "model_card.md", "report.html", f"cord/{drawn.name}", "children.tflite",
        "test/01_sub-3_T2star_before.nii.gz", "test/01_sub-3_T2star_after.nii.gz",
    }  # fmt: skip
    model = read_model(out / "children.weights.h5")
    assert (model.outputs, model.config.window) == (("gray_matter", "cord"), 48)
    assert report.split == {"sub-0": "train", "sub-1": "validation", "sub-2": "train", "sub-3": "test"}
    assert "on 1 test subject, too few" in report.verdict
    assert report.facts["epochs"] == "1 of 1, of 2 batches of 2"
    assert rows(out / "before.csv")[0]["prediction"].endswith("01_sub-3_T2star_before.nii.gz")

    longer = plan_for(data, out, tiny_weights, {"optimizer.epochs": 2, "optimizer.steps_per_epoch": 2, "optimizer.batch_size": 2})
    finetune(longer, out, "cpu")
    assert epochs(out) == ["-1", "0", "1"]
    page = (out / "report.html").read_bytes()
    with pytest.raises(InputError, match=r"other settings \(optimizer.learning_rate\): choose another output folder"):
        finetune(plan_for(data, out, tiny_weights, {"optimizer.learning_rate": 0.1, "optimizer.epochs": 2}), out, "cpu")
    with pytest.raises(InputError, match=r"other settings \(.*split"):
        finetune(plan_for(data, out, tiny_weights, file=None), out, "cpu")
    assert (out / "report.html").read_bytes() == page
    assert "sub-3\ttest" in (out / "split.tsv").read_text()


def test_ctrl_c_keeps_the_best(data, tmp_path, tiny_weights, monkeypatch, at_center):
    from spineseg_cli.training.run import Run

    finish = Run.end_epoch

    def interrupted(self, network, rate, values):
        finish(self, network, rate, values)
        raise KeyboardInterrupt

    def at_once(self, network, rate, values):
        raise KeyboardInterrupt

    surgery = {"reinitialize": "decoder", "freeze": "encoder"}
    (plan,) = plan_for(data, tmp_path / "run", tiny_weights, {"optimizer.epochs": 9, "surgery": surgery})
    with monkeypatch.context() as patch:
        patch.setattr(Run, "end_epoch", interrupted)
        result = run_plan(plan, "cpu")
        assert epochs(plan.folder) == ["-1", "0"]
        assert result.after.table.rows
        assert result.run.interrupted
        old, new = (read_model(path).load_network() for path in (tiny_weights, plan.folder / "last.weights.h5"))
        first, last = (old.layers[1].get_weights()[0], new.layers[1].get_weights()[0])
        np.testing.assert_array_equal(first, last)  # frozen
        assert (old.layers[-1].get_weights()[0] != new.layers[-1].get_weights()[0]).any()
        folds = plan_for(data, tmp_path / "folds", tiny_weights, file=None, folds=2)
        assert len(finetune(folds, tmp_path / "folds", "cpu").tested) == 2, "the other fold is not begun"
        patch.setattr(Run, "end_epoch", at_once)
        patch.setattr(Run, "begin", lambda self, weights, row, measured: {"epoch": -1})
        (other,) = plan_for(data, tmp_path / "other", tiny_weights)
        with pytest.raises(KeyboardInterrupt):  # nothing to keep
            run_plan(other, "cpu")


def test_the_best_epoch_is_that_of_the_command_not_of_the_loss(data, tmp_path, tiny_weights, monkeypatch, at_center):
    """The complete command is run on the validation subjects after each epoch, and on the weights before the first."""
    dice = iter([0.5, 0.7, 0.6, 0.1])
    monkeypatch.setattr("spineseg_cli.training.evaluation.Evaluation.mean", lambda self, metric: next(dice))
    optimizer = {"epochs": 3, "steps_per_epoch": 2, "batch_size": 2, "learning_rate": 0.01}
    monkeypatch.setattr(CommandValidation, "gains", lambda self, network: [0.2, 0.3])
    (plan,) = plan_for(data, tmp_path / "run", tiny_weights, {"optimizer": optimizer, "validation.early_stopping": None})
    result = run_plan(plan, "cpu")
    assert [float(row["val_DSC"]) for row in rows(plan.folder / "history.csv")] == [0.5, 0.7, 0.6, 0.1]
    assert (result.run.best_epoch, result.run.keeps_start) == (0, False)
    assert report_of([result]).facts["best"] == "epoch 1, by DSC on the validation subjects"


def test_a_gain_within_its_error_is_none(data, tmp_path, tiny_weights, monkeypatch, at_center):
    """The initial weights are kept although an epoch is better on the validation subject."""
    start, seen = [w + 0 for w in read_model(tiny_weights).load_network().get_weights()], []

    def gains(self, network):
        seen.append(network.get_weights()[0].copy())
        return [0.1, 0.1, -0.1]

    dice = iter([0.5, 0.7])
    with monkeypatch.context() as patch:
        patch.setattr("spineseg_cli.training.evaluation.Evaluation.mean", lambda self, metric: next(dice))
        patch.setattr(CommandValidation, "gains", gains)
        (plan,) = plan_for(data, tmp_path / "run", tiny_weights)
        result = run_plan(plan, "cpu")
    assert (seen[0] != start[0]).any(), "what the best epoch gave was judged"
    assert result.run.keeps_start
    assert plan.open_run().keeps_start
    assert run_plan(plan, "cpu").run.keeps_start
    assert len(seen) == 1, "called again, the gain is not judged again"
    for old, new in zip(start, result.model.load_network().get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    facts = report_of([result])
    assert (facts.kept_start, facts.facts["best"][:9]) == (True, "its start")
    scans = plan.scans_of("validation")
    metrics = CommandValidation(Evaluator(plan.task, "cpu"), plan.config, plan.start, scans, plan.scans_of("train") + scans)
    assert metrics.gains(read_model(tiny_weights).load_network()) == [0, 0, 0]


def test_folds_and_no_test(data, tmp_path, tiny_weights, at_center):
    out = tmp_path / "folds"
    plans = plan_for(data, out, tiny_weights, file=None, folds=2)
    report = finetune(plans, out, "cpu")
    assert sorted(report.tested) == ["sub-0", "sub-1", "sub-2", "sub-3"]
    assert "on 4 test subjects" in report.verdict
    assert {"report.html", "fold-1/report.html", "fold-2/folds_fold-2.weights.h5"} <= files(out)

    (plan,) = plan_for(data, tmp_path / "all", tiny_weights, file=None, fractions=(0, 0.25))
    assert plan.scans_of("test") == []
    assert set(plan.split.values()) == {"train", "validation"}


def test_a_drawn_cord_belongs_to_one_scan_and_its_gray_mask(data, tmp_path, tiny_weights):
    """It is drawn before the run's settings are kept, so that a run may be called again with other scans or masks."""

    def drawn(folder):
        (plan,) = plan_for(folder, tmp_path / "run", tiny_weights, file=data / "split.tsv")
        return {Path(source.image).name: source.cord for source in plan.config.data.labeled_scans if "/run/cord/" in source.cord}

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


def test_a_cord_is_drawn_on_the_scan_whatever_the_orientation_of_its_gray_mask(phantom, tmp_path):
    image, straight, turned = (tmp_path / f"{name}.nii.gz" for name in ("image", "straight", "turned"))
    write_volume(image, phantom.image)
    write_volume(straight, phantom.gray_matter, np.uint8)
    nib.save(nib.load(straight).as_reoriented(nib.orientations.axcodes2ornt(("S", "P", "L"))), turned)
    scans = [with_cord_to_draw(LabeledScan("sub-1", image, {"gray_matter": (mask,)}), tmp_path) for mask in (straight, turned)]
    draw_missing_cords(scans)
    first, second = (read_volume(scan.cord, kind="mask") for scan in scans)
    assert first.data.any()
    np.testing.assert_array_equal(first.data, second.data)
    np.testing.assert_array_equal(first.affine, second.affine)


def test_what_weights_bring_along(data, tmp_path, tiny_weights, shared):
    (plan,) = plan_for(data, tmp_path, tiny_weights)
    assert plan.config.network.as_dict == {"name": "unet2d", "filters": 2, "depth": 1, "classes": 2}
    assert plan.config.sampling.crop_sizes == (48,)
    assert [Path(source.image).name[:5] for source in plan.config.data.labeled_scans] == ["sub-0", "sub-1", "sub-2"]
    (plan,) = plan_for(data, tmp_path, "gm")
    assert plan.config.sampling.crop_sizes == (96, 112, 128)
    (plan,) = plan_for(data, tmp_path, "scratch")
    assert (plan.start, plan.baseline.name) == (None, "gm")
    (plan,) = plan_for(data, tmp_path, shared / "peers/sct_gm/challenge_model.hdf5")
    config = plan.config
    assert (config.augmentation.profile, config.sampling.crop_sizes, config.outputs) == ("perone", (200,), ("gray_matter",))
    assert config.inference.threshold == 0.5, "that of the loss it is trained by, not the published one"


def test_a_configuration_without_scans(data, tmp_path, tiny_weights):
    only_maps = {"label_maps": [{"cord": "c.nii", "gray_matter": "g.nii"}], "labeled_scans": [], "scan_fraction": 0}
    changes = {"data": only_maps, "validation": {"subjects": [], "select_by": "crops", "early_stopping": None}}
    with pytest.raises(InputError, match="finetune_gm trains on no scans: start from a copy of finetune_gm"):
        plan_for(data, tmp_path / "run", tiny_weights, changes)


def test_weights_that_do_not_fit(tiny_weights):
    with pytest.raises(WeightsError, match="cord alone .* gray_matter"):
        find_start("cord", str(tiny_weights))
    with pytest.raises(WeightsError, match="no model 'nothing'"):
        find_start("gm", "nothing")
    with pytest.raises(WeightsError, match="2-D network .* cord3d"):
        find_start("cord", "cord3d", "2d")
    with pytest.raises(WeightsError, match="3-D network .* cord "):
        find_start("cord", "cord", "3d")
    with pytest.raises(InputError, match="the task gm has no 3-D network: leave out --kernel 3d"):
        find_start("gm", None, "3d")
    with pytest.raises(WeightsError, match="centerline and cord alone"):
        find_start("centerline", str(tiny_weights))


def test_which_weights_and_configuration_a_task_starts_from():
    for arguments, model, config in (
        (("gm", None), "gm", "finetune_gm"),
        (("cord", None), "cord", "finetune_cord"),
        (("cord", None, "3d"), "cord3d", "finetune_cord3d"),
        (("cord", "cord3d"), "cord3d", "finetune_cord3d"),
        (("centerline", None), "centerline", "finetune_centerline"),
    ):
        start = find_start(*arguments)
        assert (start.name, config_for(arguments[0], start)) == (model, config)
        assert load_config(config).validation.select_by == "command"
    assert config_for("cord", find_start("cord", "scratch", "3d"), "3d") == "finetune_cord3d"


def test_weights_for_litert_that_give_the_same(data, tmp_path, tiny_weights, light, at_center):
    (plan,) = plan_for(data, tmp_path / "run", tiny_weights)
    result = run_plan(plan, "cpu")
    assert result.model.tflite == tmp_path / "run" / "run.tflite"
    light, full = result.model.open_runtime("cpu"), replace(result.model, tflite=None).open_runtime("cpu")
    assert (type(light).__name__, type(full).__name__) == ("LiteRTRuntime", "TensorFlowRuntime")
    windows = np.random.default_rng(0).standard_normal((3, 48, 48)).astype(np.float32)
    np.testing.assert_allclose(light.predict(windows), full.predict(windows), atol=1e-5)
    assert report_of([result]).facts["for LiteRT"].startswith("run.tflite (sha256 ")


def test_a_nyul_scale_is_learned_kept_and_applied(data, tmp_path, tiny_weights, at_center):
    (plan,) = plan_for(data, tmp_path / "run", tiny_weights, {"data.learn_nyul": True})
    landmarks = plan.config.inference.landmarks
    assert landmarks == sorted(landmarks)
    assert (landmarks[0], landmarks[-1]) == (0, 100)
    result = run_plan(plan, "cpu")
    assert result.model.config.landmarks == landmarks
    assert "Nyul" in report_of([result]).facts["intensities"]
    (other,) = plan_for(data, tmp_path / "next", result.model.path)
    assert other.config.inference.landmarks == landmarks, "weights go on with the scale they know"


def test_weights_that_no_epoch_has_bettered_stay_as_they_were(tubes, tmp_path, bright_is_cord):
    """With their thresholds, and told: others would score otherwise, as if something had been learned."""
    options = {"spacing_mm": 0.5, "window": 64, "threshold": 0.7, "contrast_thresholds": {"t2": 0.9}}
    start = tiny_model(tmp_path / "tiny.weights.h5", {"name": "unet2d", "filters": 2, "depth": 1}, **options)
    changes = {"optimizer.learning_rate": 100.0, "validation.select_by": "crops"}
    (plan,) = cord_plan(tubes, tmp_path / "run", "cord", start, changes, patterns=PATTERNS)
    result = run_plan(plan, "cpu")
    for old, new in zip(*(m.load_network().get_weights() for m in (start, result.model)), strict=True):
        np.testing.assert_array_equal(old, new)
    assert (result.model.config.threshold, result.model.config.contrast_thresholds) == (0.7, {"t2": 0.9})
    assert result.before.table.rows[0]["DSC"] == result.after.table.rows[0]["DSC"]
    report = report_of([result])
    assert report.facts["best"].startswith("its start: no epoch was better")
    assert report.verdict.startswith("No epoch was surely better than the weights that the run started from")


def test_thresholds_of_contrasts_stay_with_the_weights_that_they_were_chosen_for(tubes, tmp_path):
    options = {"spacing_mm": 0.5, "window": 64, "contrast_thresholds": {"t2": 0.9}}
    start = tiny_model(tmp_path / "tiny.weights.h5", {"name": "unet2d", "filters": 2, "depth": 1}, **options)
    (plan,) = cord_plan(tubes, tmp_path / "run", "cord", start, patterns=PATTERNS)
    assert not plan.config.inference.contrast_thresholds


def cord_plan(data, out, task, start, changes=None, **options):
    only_scans = {"data": {"label_maps": [], "scan_fraction": 1}}
    template = load_config(config_for(task, start), {**SHORT, **only_scans, **(changes or {})})
    return make_plans(task, ScanSource(data, **options), out, template, start)


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


def tiny_model(path, network, **inference):
    from spineseg_cli.core.inference.runtime import import_tensorflow

    import_tensorflow()
    from spineseg_cli.networks import build_network
    from spineseg_cli.weights.files import write_model

    write_model(build_network(**network), path, network, ("cord",), InferenceConfig(**inference))
    return find_start("centerline" if inference["spacing_mm"] == 1 else "cord", str(path))


def test_a_centerline_from_patterns_to_report(tubes, tmp_path, bright_is_cord):
    start = tiny_model(tmp_path / "tiny.weights.h5", {"name": "unet2d", "filters": 2, "depth": 1}, spacing_mm=1.0, window=32)
    plans = cord_plan(tubes, tmp_path / "run", "centerline", start, patterns=PATTERNS, label_coverage="both")
    (plan,) = plans
    assert [source.label_coverage for source in plan.config.data.labeled_scans] == ["both", "both"]
    assert sorted(plan.split) == ["anna", "ben", "eve"]
    report = finetune(plans, tmp_path / "run", "cpu")
    (row,) = rows(tmp_path / "run" / "before.csv")
    assert float(row["median_mm"]) < 1
    assert (row["found_pct"], row["inside_pct"], row["slice"]) == ("100.0", "100.0", "")
    assert set(PATH_METRICS) <= set(row)
    assert "DSC" not in row
    assert "share of slices with the path in the cord (%) 100.000 before" in report.verdict
    assert "median distance (mm)" in report.verdict
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(name in page for name in PATH_METRICS)
    assert "data:image/jpeg" in page
    mask = read_volume(next((tmp_path / "run" / "test").glob("*_after.nii.gz")), kind="mask")
    assert mask.data.sum(axis=(0, 1)).max() == 1


@pytest.mark.parametrize(("name", "resampled"), [("unet3d", True), ("unet3d_inplane", False)])
def test_a_3d_network_is_trained_on_stacks(tubes, tmp_path, bright_is_cord, name, resampled):
    network = {"name": name, "filters": 2}
    options = {"spacing_mm": 2.0, "window": 16, "depth": 8, "resample_slices": resampled}
    start = tiny_model(tmp_path / "tiny.weights.h5", network, **options)
    changes = {
        "sampling": {"crop_sizes": [16], "crop_depth": 8, "patch_overlap": 0.25},
        "augmentation.mirror": False,
        "data.crop_centers": "network",
    }
    (plan,) = cord_plan(tubes, tmp_path / "run", "cord", start, changes, patterns=PATTERNS)
    assert (plan.config.sampling.crop_depth, plan.config.network.as_dict, plan.search.name) == (8, network, "centerline")
    assert plan.overlap == 0.25
    result = run_plan(plan, "cpu")
    assert (result.model.config.depth, result.model.tflite) == (8, None)
    facts = report_of([result]).facts
    assert facts["for LiteRT"] == "none"
    assert "never mirrored, centers moved by up to 2 mm, patches of 8 slices that overlap by 25%" in facts["images"]
    assert facts["images"].endswith("centered where centerline finds the cord")


def test_a_full_disk_is_seen_before_anything_is_written(tubes, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=10e6))
    with pytest.raises(InputError, match=r"expected \d+ MB of free space in .* for this run; there are 10: choose another"):
        cord_plan(tubes, tmp_path / "run", "cord", find_start("cord", None), patterns=PATTERNS)
    assert not (tmp_path / "run").exists()
