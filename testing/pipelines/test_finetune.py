"""Fine-tuning from scans to report: with a tiny network, and a stand-in for the search of the cord."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spineseg_cli.cli.finetune_tasks import compare
from spineseg_cli.core.nifti import write_volume
from spineseg_cli.errors import InputError, NotAvailableError, WeightsError
from spineseg_cli.pipelines.finetune import finetune, run_plan
from spineseg_cli.pipelines.gm import segment_gray_matter
from spineseg_cli.training.plan import find_start, make_plans
from spineseg_cli.training.recipe_files import load_recipe
from spineseg_cli.weights import read_model

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


def segment(image, model, *, centerline=None, runtime=None):
    """The gray-matter pipeline, with windows at the image's centre."""
    return segment_gray_matter(image, model, centerline=centerline, runtime=runtime, device="cpu")


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


def test_a_run_its_folder_and_going_on(data, tmp_path, tiny_weights):
    before, out = files(data), tmp_path / "children"
    account = finetune(plan_for(data, out, tiny_weights), out, segment, compare, "cpu")
    assert files(data) == before
    assert files(out) == {
        "split.tsv", "config.yaml", "sessions.json", "history.csv", "state.h5", "last.weights.h5", "children.weights.h5",
        "before.csv", "after.csv", "curves.svg", "model_card.md", "report.html", "cord/003_seg.nii.gz",
        "test/01_sub-3_T2star_before.nii.gz", "test/01_sub-3_T2star_after.nii.gz",
    }  # fmt: skip
    model = read_model(out / "children.weights.h5")
    assert (model.outputs, model.preprocessing.window) == (("gray_matter", "cord"), 48)
    assert account.split == {"sub-0": "train", "sub-1": "validation", "sub-2": "train", "sub-3": "test"}
    assert "on 1 test subject, too few" in account.verdict
    assert account.facts["epochs"] == "1 of 1, of 2 batches of 2"
    assert rows(out / "before.csv")[0]["prediction"].endswith("01_sub-3_T2star_before.nii.gz")

    longer = plan_for(data, out, tiny_weights, "epochs=2")
    finetune(longer, out, segment, compare, "cpu")
    assert epochs(out) == ["0", "1"]
    report = (out / "report.html").read_bytes()
    with pytest.raises(InputError, match=r"other settings \(learning_rate\): choose another output folder"):
        finetune(plan_for(data, out, tiny_weights, "learning_rate=0.1"), out, segment, compare, "cpu")
    with pytest.raises(InputError, match=r"other settings \(.*split"):
        finetune(plan_for(data, out, tiny_weights, split_file=None), out, segment, compare, "cpu")
    assert (out / "report.html").read_bytes() == report
    assert "sub-3\ttest" in (out / "split.tsv").read_text()


def test_ctrl_c_keeps_the_best(data, tmp_path, tiny_weights, monkeypatch):
    from spineseg_cli.core.inference import import_tensorflow

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
        assert epochs(plan.out) == ["0"]
        assert outcome.after.rows
        assert outcome.stopped
        old, new = (read_model(path).load_network() for path in (tiny_weights, outcome.weights))
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


def test_weights_that_do_not_fit(tiny_weights, monkeypatch):
    with pytest.raises(WeightsError, match="expected weights that predict cord alone for the task cord; those of .* gray_matter"):
        find_start("cord", str(tiny_weights))
    with pytest.raises(WeightsError, match="no model 'nothing'"):
        find_start("gm", "nothing")
    model = find_start("cord", None)
    deep = replace(model, preprocessing=replace(model.preprocessing, depth=48))
    monkeypatch.setattr("spineseg_cli.training.plan.find_custom", lambda *_: deep)
    with pytest.raises(NotAvailableError, match="3-D network"):
        find_start("cord", "cord3d")
