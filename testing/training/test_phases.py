"""The initial weights and the phases of a run, whenever it is killed."""

import numpy as np
import pytest

from spineseg_cli.errors import InputError
from spineseg_cli.training.config_sections import Phase
from spineseg_cli.weights.files import read_model
from testing.training.runs import CONFIG, history, train, untrained

pytestmark = pytest.mark.usefixtures("tensorflow")

SECOND = {"freeze": "encoder", "learning_rate": 0.001, "epochs": 2}
TWO = CONFIG.with_changes({"surgery": {"reinitialize": "decoder", "second_phase": SECOND}})


@pytest.fixture(scope="module")
def init(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("init") / "init.weights.h5")


def weights_of(path):
    return read_model(path).load_network().get_weights()


def values(row):
    return {name: float(value) for name, value in row.items() if value}


def test_phases():
    assert CONFIG.phases == [Phase((), 0.01, 2)]
    assert CONFIG.with_changes({"surgery.freeze": "encoder"}).phases == [Phase(("encoder",), 0.01, 2)]
    assert TWO.phases == [Phase(("encoder", "bottleneck"), 0.01, 2), Phase(("encoder",), 0.001, 2)]
    both = CONFIG.with_changes({"surgery": {"reinitialize": "both", "second_phase": {}}})
    assert both.phases == [Phase(("bottleneck",), 0.01, 2), Phase((), 1e-5, 2)]


def test_weights_that_training_does_not_better_are_kept(init, tmp_path):
    """The learning rate is so high that every epoch is worse than the initial weights."""
    absurd = CONFIG.with_changes({"optimizer.learning_rate": 30.0, "optimizer.schedule": "constant"})
    trained = train(absurd, tmp_path, init)
    start, *rows = history(tmp_path)
    assert (start["epoch"], start["loss"], start["learning_rate"]) == ("-1", "", "")
    assert all(float(row["val_loss"]) > float(start["val_loss"]) for row in rows)
    for one, other in zip(weights_of(trained), weights_of(init), strict=True):
        assert np.array_equal(one, other)

    worse = train(absurd.with_changes({"validation.include_initial_weights": False}), tmp_path / "trained", init)
    assert [row["epoch"] for row in history(tmp_path / "trained")] == [row["epoch"] for row in rows]
    assert not all(np.array_equal(*pair) for pair in zip(weights_of(worse), weights_of(init), strict=True))


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_two_phases_go_on_wherever_they_are_killed(init, tmp_path, killed_at, unbroken):
    with pytest.raises(SystemExit):
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
        train(TWO.with_changes({"surgery.second_phase.freeze": None}), tmp_path / "run", init)


@pytest.fixture(scope="module")
def unbroken(init, tmp_path_factory):
    return train(TWO, tmp_path_factory.mktemp("unbroken"), init)


def test_what_each_phase_changes(init, tmp_path, monkeypatch):
    from spineseg_cli.training import trainer
    from spineseg_cli.training.network_surgery import layers_of

    states = []

    class Watched(trainer.Trainer):
        def begin(self, phase, schedule=None):
            states.append({layer.name: layer.get_weights() for layer in self.network.layers if layer.weights})
            super().begin(phase, schedule)

    monkeypatch.setattr(trainer, "Trainer", Watched)
    train(TWO, tmp_path, init)
    operated, second = states
    old, new = (read_model(path).load_network() for path in (init, tmp_path / "last.weights.h5"))
    first, last = ({layer.name: layer.get_weights() for layer in n.layers if layer.weights} for n in (old, new))
    names = {part: [layer.name for layer in layers_of(new, part)] for part in ("encoder", "bottleneck", "decoder")}
    # Layers of two networks of one kind have names that differ in their numbers alone: compare them in order.
    steps = [list(state.values()) for state in (first, operated, second, last)]
    place = {name: number for number, name in enumerate(last)}

    def changed(part, before, after):
        pairs = [(steps[before][place[name]], steps[after][place[name]]) for name in names[part]]
        return [any((a != b).any() for a, b in zip(*pair, strict=True)) for pair in pairs]

    assert not any(changed("encoder", 0, 3))
    assert not any(changed("bottleneck", 0, 2))
    assert all(changed("bottleneck", 2, 3))
    assert any(changed("decoder", 0, 1))
    assert all(changed("decoder", 1, 2))
    assert all(changed("decoder", 2, 3))


def test_unfreezing_needs_weights(tmp_path):
    with pytest.raises(InputError, match="second_phase trains on from weights .*: give it weights to start from"):
        train(TWO, tmp_path)


def test_halving_goes_on(init, tmp_path):
    """At such a rate no epoch is better than the start: 0.5, 0.5, 0.25, 0.25 of it."""
    schedule = {"name": "reduce_on_plateau", "patience": 2}
    config = CONFIG.with_changes({"optimizer": {"learning_rate": 30.0, "epochs": 5, "schedule": schedule}})
    with pytest.raises(SystemExit):
        train(config, tmp_path / "run", init, killed_at=3)
    train(config, tmp_path / "run", init)
    train(config, tmp_path / "unbroken", init)
    rows, others = (history(tmp_path / name) for name in ("run", "unbroken"))
    assert [float(row["learning_rate"]) for row in rows[1:]] == [30, 30, 15, 15, 7.5]
    for row, other in zip(rows, others, strict=True):
        assert values(row) == pytest.approx(values(other), rel=1e-5)
