"""A run: its best epoch, early stopping, its state, and changed settings."""

import json

import h5py
import numpy as np
import pytest

from spineseg_cli.errors import InputError
from spineseg_cli.training.run import LOSS, Run
from spineseg_cli.training.state import START, Selection, TrainingState, exceeds_error
from testing.training.runs import CONFIG, OPTIONS, Data, train

pytestmark = pytest.mark.usefixtures("tensorflow")

DICE = Selection("val_DSC", greater_is_better=True)


def compiled():
    from spineseg_cli.networks import build_network

    network = build_network(**OPTIONS)
    network.compile("adam", "mse")
    network.optimizer.build(network.trainable_variables)
    return network


def filled(network, value):
    return [np.full(w.shape, value, np.float32) for w in network.get_weights()]


def rows(column, values, first=0):
    return [{"epoch": n} | ({} if value is None else {column: value}) for n, value in enumerate(values, first)]


@pytest.mark.parametrize(
    ("selection", "found", "best"),
    [
        (LOSS, rows("val_loss", [0.5, 0.4, 0.3, 0.6], START), 1),
        (LOSS, rows("val_loss", [0.2, 0.4], START), START),
        (LOSS, rows("val_loss", [float("nan"), 0.4, 0.5]), 1),
        (LOSS, rows("val_loss", [float("inf"), float("nan")]), None),
        (LOSS, rows("val_loss", [None, None]), None),
        (DICE, rows("val_DSC", [0.7, 0.8, 0.8, 0.1]), 1),
        (DICE, [{"epoch": 0, "val_DSC": 0.0, "val_loss": 0.9}, {"epoch": 1, "val_DSC": 0.0, "val_loss": 0.5}], 1),
    ],
)
def test_one_definition_of_the_best_epoch(selection, found, best):
    """A value that is not a number is never the best. Ties are broken by the loss, then by order."""
    assert selection.best(found) == best


def test_the_best_is_told_in_words(tmp_path):
    run = Run(tmp_path, CONFIG, selection=DICE)
    assert (run.history, run.best_epoch, run.best_in_words) == ([], None, "the last epoch")
    run.state.begin({"val_DSC": 0.7, "val_loss": 0.5}, measured=True)
    run.state.add({"epoch": 0, "val_DSC": 0.6, "val_loss": 0.1}, DICE, None, 0.0)
    assert run.keeps_start, "though the loss is lower"
    assert run.best_in_words == "its start: no epoch was better, by DSC on the validation subjects"
    run.state.add({"epoch": 1, "val_DSC": 0.8, "val_loss": 0.9}, DICE, None, 0.0)
    assert run.best_in_words == "epoch 2, by DSC on the validation subjects"


@pytest.mark.parametrize(
    ("gains", "exceeds"),
    [
        ([0.01, 0.02], True),
        ([0.01, 0.04], False),
        ([0.03, -0.01, 0.0], False),
        ([0.02], True),
        ([], False),
        ([float("nan"), 1], True),
    ],
)
def test_a_gain_is_more_than_its_standard_errors(gains, exceeds):
    assert exceeds_error(gains) == exceeds


def test_a_gain_that_is_judged_leaves_the_last_epoch_as_it_was(tmp_path):
    """The network may have been trained further, in an epoch that the user stopped."""
    network, run = compiled(), Run(tmp_path, CONFIG)
    network.set_weights(filled(network, 0.5))
    run.end_epoch(network, 0.001, {"val_loss": 0.5})
    network.set_weights(filled(network, 0.7))
    run.settle_gain(False)
    again = Run(tmp_path, CONFIG)
    assert (again.state.gain_judged, again.keeps_start) == (True, True)
    again.resume(network)
    assert all((w == np.float32(0.5)).all() for w in network.get_weights())
    again.end_epoch(network, 0.001, {"val_loss": 0.4})
    assert (again.state.gain_judged, again.keeps_start) == (False, False)


def test_early_stopping_measures_against_the_start():
    """Early stopping ignores the initial weights after surgery, when the first epochs are always worse."""
    for measured, stopped in ((True, True), (False, False)):
        state = TrainingState()
        state.begin({"val_loss": 0.5}, measured)
        for n in range(2):
            state.add({"epoch": n, "val_loss": 0.9 - n / 10}, LOSS, 2, 0.0)
        assert (state.stopped, LOSS.best(state.history)) == (stopped, START)
    state.add({"epoch": 2, "val_loss": 0.4}, LOSS, 2, 0.0)
    assert LOSS.best(state.history) == 2


def test_early_stopping_counts_on_and_keeps_the_best(tmp_path):
    stopping = CONFIG.with_changes({"validation.early_stopping": {"patience": 2, "min_delta": 0.1}})
    stopped = []
    for loss in (1.0, 0.95, 0.5, 0.45, 0.6, 0.1):  # killed after each epoch
        network, run = compiled(), Run(tmp_path, stopping)
        if run.resume(network).stopped:
            break
        network.set_weights(filled(network, loss))
        run.end_epoch(network, 0.001, {"val_loss": loss})
        stopped.append(run.state.stopped)
    # 0.95 is better than 1.0, but not by 0.1: one epoch waited. 0.5 is. Then 0.45 and 0.6 are not: two waited.
    assert stopped == [False, False, False, False, True]
    assert run.best_epoch == 3
    assert all((w == np.float32(0.45)).all() for w in run.best_weights)
    assert all((w == np.float32(0.6)).all() for w in network.get_weights())


def test_early_stopping_may_watch_the_loss(tmp_path):
    """Early stopping may monitor the loss, as in Kumar 2022, whatever the criterion for the best epoch."""
    stopping = {"patience": 1, "monitor": "loss"}
    run, network = Run(tmp_path, CONFIG.with_changes({"validation.early_stopping": stopping}), selection=DICE), compiled()
    for loss, dice in ((0.5, 0.5), (0.4, 0.4), (0.6, 0.9)):
        assert not run.state.stopped
        run.end_epoch(network, 0.001, {"val_loss": loss, "val_DSC": dice})
    assert (run.state.stopped, run.best_epoch) == (True, 2)


def test_a_phase_starts_from_the_best_of_the_one_before(tmp_path):
    """This holds even if the weights before surgery were better, and if the run was killed between the phases."""
    two = CONFIG.with_changes(
        {"surgery": {"reinitialize": "decoder", "second_phase": {}}, "validation.early_stopping": {"patience": 2}}
    )
    run, network = Run(tmp_path, two), compiled()
    run.begin(filled(network, 0.1), {"val_loss": 0.1}, measured=False)
    for loss in (0.3, 0.6, 0.7):
        network.set_weights(filled(network, loss))
        run.end_epoch(network, 0.001, {"val_loss": loss})
    assert (run.state.stopped, run.best_epoch) == (True, START)

    resumed, network = Run(tmp_path, two), compiled()
    state = resumed.resume(network)
    resumed.begin_next_phase(network)
    assert all((w == np.float32(0.3)).all() for w in network.get_weights())
    assert all((w == np.float32(0.1)).all() for w in resumed.best_weights)
    assert (state.phase, state.phase_rows, state.stopped, state.waited, state.phase_losses) == (1, [], False, 0, [0.3])
    row = resumed.end_epoch(network, 0.001, {"val_loss": 0.05})
    assert (row["epoch"], row["phase"], resumed.best_epoch, state.phase_losses) == (3, 2, 3, [0.3, 0.05])


def test_sessions_add_up(tmp_path):
    sessions = Run(tmp_path, CONFIG).sessions
    for hardware in ("a CPU", "a GPU", "a CPU"):
        with sessions.record(hardware):
            pass
    assert (len(sessions.all), sessions.hardware) == (3, "a CPU; a GPU")
    assert 0 <= sessions.hours < 1


def test_a_run_that_has_ended_reads_no_data(tmp_path):
    from spineseg_cli.training.trainer import fit

    data = Data(CONFIG)
    first, again = (fit(Run(tmp_path, CONFIG), data) for _ in range(2))
    assert data.reads == 1
    for one, other in zip(first.load_network().get_weights(), again.load_network().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    longer = CONFIG.with_changes({"optimizer.epochs": 3})
    fit(Run(tmp_path, longer), data)
    assert data.reads == 2


def rewritten(folder, change):
    """Change the progress and settings in the state of a run."""
    with h5py.File(folder / "state.h5", "a") as file:
        content = json.loads(file["progress"][()])
        change(content)
        del file["progress"]
        file["progress"] = json.dumps(content)


def test_a_run_with_other_settings_is_refused(tmp_path):
    train(CONFIG, tmp_path)
    with pytest.raises(InputError, match=r"other settings \(optimizer.schedule\): choose another output folder"):
        Run(tmp_path, CONFIG.with_changes({"optimizer.schedule": "constant"}), {"init": None})
    with pytest.raises(InputError, match=r"other settings \(seed, init\)"):
        Run(tmp_path, CONFIG.with_changes({"seed": 3}), {"init": "other"})
    rewritten(tmp_path, lambda content: content["settings"]["config"].update(fortune=7))
    with pytest.raises(InputError, match="the run in .*fortune is not a field of a configuration"):
        Run(tmp_path, CONFIG, {"init": None})
    rewritten(tmp_path, lambda content: content.update(settings={"name": "tiny", "maps": [], "batch": 4}))
    with pytest.raises(InputError, match=r"a run of version 0\.9 or older, which cannot be continued: choose another folder"):
        Run(tmp_path, CONFIG, {"init": None})


def test_a_run_ends_with_the_mean_of_its_last_epochs_also_where_it_was_killed(tmp_path):
    from spineseg_cli.training.trainer import fit

    config = CONFIG.with_changes({"validation.subjects": [], "optimizer.epochs": 4})
    ends = []
    for epochs in (3, 4):  # the rate does not fall, so each is how far the longer run had come
        last = config.with_changes({"optimizer.epochs": epochs, "optimizer.schedule": {"name": "poly", "power": 0}})
        ends.append(fit(Run(tmp_path / f"{epochs}", last), Data(last, validated=False)).load_network().get_weights())
    averaged = last.with_changes({"optimizer.averaged_epochs": 2})
    with pytest.raises(SystemExit):
        fit(Run(tmp_path / "mean", averaged), Data(averaged, killed_at=3, validated=False))
    model = fit(Run(tmp_path / "mean", averaged), Data(averaged, validated=False))
    for mean, *parts in zip(model.load_network().get_weights(), *ends, strict=True):
        np.testing.assert_allclose(mean, np.mean(parts, axis=0), atol=1e-5)


def test_a_run_ends_with_a_share_of_the_weights_that_it_started_from(tmp_path):
    from spineseg_cli.training.trainer import fit

    config = CONFIG.with_changes({"validation.subjects": [], "optimizer.epochs": 1})
    start = fit(Run(tmp_path / "start", config), Data(config, validated=False))
    shared = config.with_changes({"optimizer.start_share": 0.25})
    trained, mixed = (fit(Run(tmp_path / name, c), Data(c, validated=False), start) for name, c in (("0", config), ("1", shared)))
    weights = [model.load_network().get_weights() for model in (start, trained, mixed)]
    assert max(np.abs(old - new).max() for old, new in zip(*weights[:2], strict=True)) > 0.01
    for old, new, mean in zip(*weights, strict=True):
        np.testing.assert_allclose(mean, 0.25 * old + 0.75 * new, atol=1e-6)
    with pytest.raises(InputError, match=r"optimizer.start_share is for a run of one phase without validation"):
        CONFIG.with_changes({"optimizer.start_share": 0.25})
