"""Studies: those of the package, budgets and sweeps, and invalid content."""

import pytest

from spineseg_cli.errors import InputError
from spineseg_cli.experiments.config import BUDGETS, load_experiment
from spineseg_cli.experiments.names import study_file, study_names

SMALL = """
task: cord
config: finetune_cord
set: {optimizer.epochs: 7, optimizer.batch_size: 3}
published: {optimizer.batch_size: 1}
cohort: {kind: phantoms, subjects: 6, regions: {neck: [C2, C7]}}
budgets:
  quick: {sweep: {name: solid, config: finetune_cord3d, init: cord3d, factors: {stride: {"12": {sampling.patch_overlap: 0.75}}}}}
  full: {set: {optimizer: {epochs: 90}}, cohort: {subjects: 60}, init: cord3d}
variants: [{name: old, train: false}, {name: slow, set: {optimizer.learning_rate: 1.0e-5, inference.threshold: 0.4}}]
sweep: {set: {augmentation.mirror: true}, factors: {batch: {"2": {optimizer.batch_size: 2}, "5": {optimizer: {batch_size: 5}}}}}
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", study_names())
def test_the_studies_of_the_package(name, budget):
    experiment = load_experiment(name, budget)
    assert experiment.cohort is not None
    assert len(experiment.variants) >= 2
    assert experiment.reference in [variant.name for variant in experiment.variants]
    assert {experiment.config_of(variant).validation.select_by for variant in experiment.variants} == {"command"}


def test_kumar_s_five_models():
    experiment = load_experiment("pediatric-gm", "full")
    assert [variant.name for variant in experiment.variants if not variant.train] == ["baseline"]
    trained = [experiment.config_of(variant) for variant in experiment.variants if variant.train]
    assert {(config.surgery.reinitialize, config.augmentation.profile) for config in trained} == {
        ("all", "none"), ("all", "kumar"), (None, "none"), (None, "kumar"),
    }  # fmt: skip
    stopping = {"patience": 5, "min_delta": 0.001, "monitor": "loss"}
    assert all(config.validation.early_stopping.model_dump() == stopping for config in trained)
    assert experiment.split.model_dump() == {"test": 0.2, "validation": 0.2, "stratify": "region", "given": False}
    published = experiment.config_of(experiment.variants[-1], published=True)
    assert (published.loss.name, published.sampling.crop_sizes, published.optimizer.epochs) == ("dice", (200,), 100)


def test_budgets_changes_and_sweeps(small):
    quick = load_experiment(str(small))
    full = load_experiment(str(small), "full", {"optimizer.epochs": 8, "optimizer.batch_size": 4})
    assert [variant.name for variant in quick.variants] == ["old", "slow", "base", "batch=2", "batch=5", "solid", "stride=12"]
    assert [variant.base for variant in quick.variants[3:]] == ["base", "base", "solid", "solid"]
    solid, stride = (quick.config_of(variant) for variant in quick.variants[5:])
    assert {variant.init for variant in quick.variants[5:]} == {"cord3d"}
    assert (solid.network.name, solid.sampling.patch_overlap, stride.sampling.patch_overlap) == ("unet3d_inplane", 0.5, 0.75)
    assert quick.reference == "base"
    assert (quick.cohort.subjects, full.cohort.subjects) == (6, 60)
    assert (quick.init, full.init) == ("default", "cord3d")
    old, slow, base, two, *_ = (quick.config_of(variant) for variant in quick.variants)
    assert (old.optimizer.epochs, slow.optimizer.learning_rate, slow.inference.threshold) == (7, 1e-5, 0.4)
    assert [(config.optimizer.batch_size, config.augmentation.mirror) for config in (slow, base, two)] == [
        (3, None), (3, True), (2, True),
    ]  # fmt: skip
    assert quick.config_of(quick.variants[0], published=True).optimizer.batch_size == 1
    changed = [full.config_of(variant).optimizer for variant in full.variants]
    assert [(own.epochs, own.batch_size) for own in changed] == [(8, 4), (8, 4), (8, 4), (8, 2), (8, 5)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("task: cord", "task: brain", "task: expected one of gm, cord; got 'brain'"),
        ("task: cord", "tasks: cord", "tasks is not a field|task is missing"),
        ("name: slow", "name: old", "each with its own name"),
        ("name: slow", "name: a/b", "variants.1.name: .*pattern"),
        ("learning_rate: 1.0e-5", "learning_rate: -1", "optimizer.learning_rate: .*got -1"),
        ("subjects: 6", "subjects: 2", "cohort.phantoms.subjects: .*greater than or equal to 3; got 2"),
        ("subjects: 6", "subjects: 6, color: 1", "cohort.phantoms.color is not a field"),
        ("subjects: 6", "subjects: 6, gamma: [2, 1]", "cohort.phantoms.gamma: expected the lower limit of a range first"),
        ("subjects: 6", "subjects: 6, noise: 0.1", "cohort.phantoms.noise: "),
        ("subjects: 6", "subjects: 6, contrasts: [pd]", "cohort.phantoms.contrasts.0: .*'t1', 't2' or 't2s'"),
        ("kind: phantoms", "kind: mice", "cohort: .*mice"),
        ("[C2, C7]", "[C7, C2]", "cohort.phantoms.regions.neck: expected the upper vertebra of a region first"),
        ("{kind: phantoms, subjects: 6, regions: {neck: [C2, C7]}}", "{kind: exvivo, train: 130}", "520 or more"),
        ("{kind: phantoms, subjects: 6, regions: {neck: [C2, C7]}}", "{kind: exvivo, train: 5}", "fewer than 5 slices"),
        ("full:", "huge:", "budgets must be some of quick, full; got huge"),
        ("factors: {batch", "facts: {batch", "facts is not a field|factors is missing"),
        ("config: finetune_cord", "config: nothing", "no configuration 'nothing'"),
        ("config: finetune_cord", "", "config is missing"),
        ("published:", "split: {test: 0.9, validation: 0.3}\npublished:", "fractions that leave subjects to train on"),
        ("published:", "finding: {variant: nobody}\npublished:", "the finding must be on a variant, of old"),
        ("published:", "metrics: [dice]\npublished:", "metrics.0: .*'DSC'"),
        ("published:", "localizers: [mask]\npublished:", "the first of the localizers decides, and must not be mask"),
        ("published:", "localizers: [eye]\npublished:", "localizers.0: expected one of network, image_center, mask; got 'eye'"),
        ("task: cord", "task: [", "is not YAML"),
    ],
)
def test_mistakes_are_named(small, old, new, message):
    small.write_text(SMALL.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        load_experiment(str(small))


def test_what_is_a_study(small, tmp_path):
    assert study_file(str(small)) == small
    assert study_file("pediatric-gm").name == "pediatric-gm.yaml"
    config = tmp_path / "config.yaml"
    config.write_text("network: {name: unet2d}\n")
    for name in ("finetune_gm", str(config), "nothing.yaml"):
        assert study_file(name) is None
    with pytest.raises(InputError, match="no study 'nothing'.*exvivo-gm"):
        load_experiment("nothing")
