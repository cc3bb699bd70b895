"""Studies: those of the package, how budgets and sweeps are laid out, and what is refused."""

import pytest

from spineseg_cli.errors import InputError
from spineseg_cli.experiments.files import BUDGETS, load_study
from spineseg_cli.experiments.names import study_file, study_names

SMALL = """
task: cord
recipe: finetune_cord
set: {epochs: 7, batch: 3}
published: {batch: 1}
cohort: {kind: phantoms, subjects: 6, regions: {neck: [C2, C7]}}
budgets:
  quick: {sweep: {name: solid, recipe: finetune_cord3d, init: cord3d, factors: {stride: {"12": {overlap: 0.75}}}}}
  full: {set: {epochs: 90}, cohort: {subjects: 60}, init: cord3d}
arms: [{name: old, train: false}, {name: slow, set: {learning_rate: 1.0e-5, preprocessing.threshold: 0.4}}]
sweep: {set: {flips: true}, factors: {batch: {"2": {batch: 2}, "5": {batch: 5}}}}
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", study_names())
def test_the_studies_of_the_package(name, budget):
    study = load_study(name, budget)
    assert study.cohort is not None
    assert len(study.arms) >= 2
    assert study.reference in [arm.name for arm in study.arms]


def test_kumar_s_five_models():
    study = load_study("pediatric-gm", "full")
    assert [arm.name for arm in study.arms if not arm.train] == ["baseline"]
    trained = {arm.name: study.recipe_of(arm) for arm in study.arms if arm.train}
    assert {(recipe.surgery, recipe.augmentation) for recipe in trained.values()} == {
        ("all", "none"), ("all", "kumar"), (None, "none"), (None, "kumar"),
    }  # fmt: skip
    assert all(recipe.early_stopping == {"patience": 5, "min_delta": 0.001} for recipe in trained.values())
    assert study.split == {"test": 0.2, "validation": 0.2, "stratify": "region"}
    published = study.recipe_of(study.arms[-1], published=True)
    assert (published.loss, published.crop_sizes, published.epochs) == ({"name": "dice"}, [200], 100)


def test_budgets_changes_and_sweeps(small):
    quick, full = load_study(str(small)), load_study(str(small), "full", ["epochs=8", "batch=4"])
    assert [arm.name for arm in quick.arms] == ["old", "slow", "base", "batch=2", "batch=5", "solid", "stride=12"]
    assert [arm.base for arm in quick.arms[3:]] == ["base", "base", "base", "solid"]
    solid, stride = (quick.recipe_of(arm) for arm in quick.arms[5:])
    assert {arm.init for arm in quick.arms[5:]} == {"cord3d"}
    assert (solid.network["name"], solid.overlap, stride.overlap) == ("unet3d", 0.5, 0.75)
    assert quick.reference == "base"
    assert (quick.cohort["subjects"], full.cohort["subjects"]) == (6, 60)
    assert (quick.init, full.init) == ("default", "cord3d")
    old, slow, base, two, *_ = (quick.recipe_of(arm) for arm in quick.arms)
    assert (old.epochs, slow.learning_rate, slow.preprocessing["threshold"]) == (7, 1e-5, 0.4)
    assert [(recipe.batch, recipe.flips) for recipe in (slow, base, two)] == [(3, None), (3, True), (2, True)]
    assert quick.recipe_of(quick.arms[0], published=True).batch == 1
    changed = [full.recipe_of(arm) for arm in full.arms]
    assert [(recipe.epochs, recipe.batch) for recipe in changed] == [(8, 4), (8, 4), (8, 4), (8, 2), (8, 5)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("task: cord", "task: brain", "task must be one of gm, cord; got 'brain'"),
        ("task: cord", "tasks: cord", "its fields must be some of .* got 'tasks'"),
        ("name: slow", "name: old", "each with its own name"),
        ("name: slow", "name: a/b", "names of letters"),
        ("learning_rate: 1.0e-5", "learning_rate: -1", "learning_rate must be a number of 0 or more"),
        ("subjects: 6", "subjects: 1", "subjects must be a whole number of 3 or more"),
        ("full:", "huge:", "budgets must be some of quick, full; got 'huge'"),
        ("factors: {batch", "facts: {batch", "sweep must be some of name, recipe, init, set, factors; got 'facts'"),
        ("recipe: finetune_cord", "recipe: nothing", "no recipe 'nothing'"),
        ("recipe: finetune_cord", "", "is incomplete: .*recipe"),
        ("published:", "split: {test: 0.9, validation: 0.3}\npublished:", "shares above 0 that leave subjects"),
        ("published:", "finding: {arm: nobody}\npublished:", "finding must be an arm"),
        ("published:", "metrics: [dice]\npublished:", "metrics must be some of DSC"),
        ("published:", "centerlines: [exact]\npublished:", "exact not the first"),
        ("task: cord", "task: [", "is no YAML"),
    ],
)
def test_mistakes_are_named(small, old, new, message):
    small.write_text(SMALL.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        load_study(str(small))


def test_what_is_a_study(small, tmp_path):
    assert study_file(str(small)) == small
    assert study_file("pediatric-gm").name == "pediatric-gm.yaml"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("network: {name: unet2d}\n")
    for name in ("finetune_gm", str(recipe), "nothing.yaml"):
        assert study_file(name) is None
    with pytest.raises(InputError, match="no study 'nothing'; expected a YAML file with arms, or one of: exvivo-gm"):
        load_study("nothing")
