"""What a run starts from, and its phases: none is lost, whenever the run is killed."""

from dataclasses import replace

import numpy as np
import pytest

from spineseg_cli.core.inference.runtime import import_tensorflow
from spineseg_cli.errors import InputError
from spineseg_cli.training.phases import Phase, phases_of
from spineseg_cli.training.run_progress import RunProgress
from spineseg_cli.weights.model import read_model
from testing.training.runs import OPTIONS, RECIPE, history, train, untrained

TWO = replace(RECIPE, surgery="expansion", unfreeze={"keep": "contraction", "learning_rate": 0.001, "epochs": 2})


@pytest.fixture(scope="module", autouse=True)
def tensorflow():
    return import_tensorflow()


@pytest.fixture(scope="module")
def init(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("init") / "init.weights.h5")


def weights_of(path):
    return read_model(path).load_network().get_weights()


def values(row):
    return {name: float(value) for name, value in row.items() if value}


def test_phases():
    assert phases_of(RECIPE) == [Phase((), 0.01, 2)]
    assert phases_of(replace(RECIPE, freeze="contraction")) == [Phase(("contraction",), 0.01, 2)]
    assert phases_of(TWO) == [Phase(("contraction", "bottleneck"), 0.01, 2), Phase(("contraction",), 0.001, 2)]
    assert phases_of(replace(TWO, surgery="both", unfreeze={})) == [Phase(("bottleneck",), 0.01, 2), Phase((), 1e-5, 2)]


def test_weights_that_training_does_not_better_are_kept(init, tmp_path):
    """At an absurd rate, every epoch is worse."""
    absurd = replace(RECIPE, learning_rate=30.0, schedule="constant")
    trained = train(absurd, tmp_path, init)
    start, *rows = history(tmp_path)
    assert (start["epoch"], start["loss"], start["learning_rate"]) == ("-1", "", "")
    assert all(float(row["val_loss"]) > float(start["val_loss"]) for row in rows)
    for one, other in zip(weights_of(trained), weights_of(init), strict=True):
        assert np.array_equal(one, other)

    worse = train(replace(absurd, keep_start=False), tmp_path / "trained", init)
    assert [row["epoch"] for row in history(tmp_path / "trained")] == [row["epoch"] for row in rows]
    assert not all(np.array_equal(*pair) for pair in zip(weights_of(worse), weights_of(init), strict=True))


def test_early_stopping_measures_against_the_start():
    """Not after surgery, when the first epochs are worse than it anyway."""
    for measured, stopped in ((True, [False, True]), (False, [False, False])):
        progress = RunProgress()
        progress.begin({"val_loss": 0.5}, measured)
        assert [progress.add({"epoch": n, "val_loss": 0.9 - n / 10}, 2, 0.0) for n in range(2)] == [False, False]
        assert [progress.stopped, progress.best_epoch] == [stopped[1], -1]
    assert progress.add({"epoch": 2, "val_loss": 0.4}, 2, 0.0)
    assert progress.best_epoch == 2


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_two_phases_go_on_wherever_they_are_killed(init, tmp_path, killed_at, unbroken):
    with pytest.raises(KeyboardInterrupt):
        train(TWO, tmp_path / "run", init, killed_at)
    trained = train(TWO, tmp_path / "run", init)
    rows, others = history(tmp_path / "run"), history(unbroken.parent)
    assert [(row["epoch"], row["phase"]) for row in rows] == [("-1", ""), ("0", "1"), ("1", "1"), ("2", "2"), ("3", "2")]
    assert float(rows[3]["learning_rate"]) == pytest.approx(0.001)
    for row, other in zip(rows, others, strict=True):
        assert values(row) == pytest.approx(values(other), rel=1e-5)
    for one, other in zip(weights_of(trained), weights_of(unbroken), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    with pytest.raises(InputError, match="other settings"):
        train(replace(TWO, unfreeze={**TWO.unfreeze, "keep": "none"}), tmp_path / "run", init)


@pytest.fixture(scope="module")
def unbroken(init, tmp_path_factory):
    return train(TWO, tmp_path_factory.mktemp("unbroken"), init)


def test_what_each_phase_changes(init, tmp_path, monkeypatch):
    from spineseg_cli.training import loop
    from spineseg_cli.training.network_surgery import layers_of

    states = []

    class Watched(loop.Trainer):
        def begin(self, phase, rate=None):
            states.append({layer.name: layer.get_weights() for layer in self.network.layers if layer.weights})
            super().begin(phase, rate)

    monkeypatch.setattr(loop, "Trainer", Watched)
    train(TWO, tmp_path, init)
    operated, second = states
    old, new = (read_model(path).load_network() for path in (init, tmp_path / "last.weights.h5"))
    first, last = ({layer.name: layer.get_weights() for layer in n.layers if layer.weights} for n in (old, new))
    names = {part: [layer.name for layer in layers_of(new, part)] for part in ("contraction", "bottleneck", "expansion")}
    # Layers of two networks of one kind have names that differ in their numbers alone: compare them in order.
    steps = [list(state.values()) for state in (first, operated, second, last)]
    place = {name: number for number, name in enumerate(last)}

    def changed(part, before, after):
        pairs = [(steps[before][place[name]], steps[after][place[name]]) for name in names[part]]
        return [any((a != b).any() for a, b in zip(*pair, strict=True)) for pair in pairs]

    assert not any(changed("contraction", 0, 3))
    assert not any(changed("bottleneck", 0, 2))
    assert all(changed("bottleneck", 2, 3))
    assert any(changed("expansion", 0, 1))
    assert all(changed("expansion", 1, 2))
    assert all(changed("expansion", 2, 3))


def test_a_phase_starts_from_the_best_of_the_one_before(tmp_path):
    """Even if the weights before surgery were better still, and if the run was killed between the phases."""
    from spineseg_cli.networks import build_network
    from spineseg_cli.training.checkpoint import Checkpoint

    def checkpoint():
        network = build_network(**OPTIONS)
        network.compile("adam", "mse")
        network.optimizer.build(network.trainable_variables)
        return Checkpoint(tmp_path, network, {}, patience=2, phases=2)

    def filled(value):
        return [np.full(w.shape, value, np.float32) for w in first.network.get_weights()]

    first = checkpoint()
    first.begin(filled(0.1), {"val_loss": 0.1}, measured=False)
    for loss in (0.3, 0.6, 0.7):
        first.network.set_weights(filled(loss))
        first.end_epoch(0.001, {"val_loss": loss})
    assert (first.progress.stopped, first.progress.best_of_phase, first.progress.best_epoch) == (True, 0, -1)

    resumed = checkpoint()
    progress = resumed.restore()
    resumed.begin_next_phase()
    assert all((w == np.float32(0.3)).all() for w in resumed.network.get_weights())
    assert all((w == np.float32(0.1)).all() for w in resumed.best_weights)
    assert (progress.phase, progress.phase_epoch, progress.stopped, progress.waited) == (1, 0, False, 0)
    assert (progress.phase_losses, progress.best_of_phase) == ([0.3], None)
    row = resumed.end_epoch(0.001, {"val_loss": 0.05})
    assert (row["epoch"], row["phase"], progress.best_epoch, progress.phase_losses) == (3, 2, 3, [0.3, 0.05])


def test_unfreezing_needs_weights(tmp_path):
    with pytest.raises(InputError, match="unfreeze trains on from weights .*: give it weights to start from"):
        train(TWO, tmp_path)


def test_halving_goes_on(init, tmp_path):
    """At such a rate no epoch is better than the start: 0.5, 0.5, 0.25, 0.25 of it."""
    recipe = replace(RECIPE, learning_rate=30.0, epochs=5, schedule={"name": "halve", "patience": 2})
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", init, killed_at=3)
    train(recipe, tmp_path / "run", init)
    train(recipe, tmp_path / "unbroken", init)
    rows, others = (history(tmp_path / name) for name in ("run", "unbroken"))
    assert [float(row["learning_rate"]) for row in rows[1:]] == [30, 30, 15, 15, 7.5]
    for row, other in zip(rows, others, strict=True):
        assert values(row) == pytest.approx(values(other), rel=1e-5)


def test_a_state_that_is_older_than_a_field_goes_on(init, tmp_path):
    """Its settings lack what there was no field for, which had its default."""
    import json

    import h5py

    train(RECIPE, tmp_path, init)
    with h5py.File(tmp_path / "state.h5", "a") as file:
        content = json.loads(file["progress"][()])
        for name in ("schedule", "scores", "unfreeze"):
            del content["settings"][name]
        for name in ("start", "phase", "phase_start", "first_loss"):
            del content["run"][name]
        del file["progress"]
        file["progress"] = json.dumps(content)
    train(replace(RECIPE, epochs=3), tmp_path, init)
    assert [row["epoch"] for row in history(tmp_path)] == ["0", "1", "2"]
    with pytest.raises(InputError, match=r"other settings \(schedule\)"):
        train(replace(RECIPE, schedule="constant"), tmp_path, init)
