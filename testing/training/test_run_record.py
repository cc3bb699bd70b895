"""What a run has left in its folder, read again."""

import pytest

from spineseg_cli.training.run_record import START, RunRecord


@pytest.mark.parametrize(
    ("rows", "kept", "words"),
    [
        ("-1,0.5\n0,0.4\n1,0.3\n2,0.6", 1, "epoch 2"),
        ("-1,0.2\n0,0.4", START, "its start: no epoch was better"),
        ("0,nan\n1,0.4\n2,0.5", 1, "epoch 2"),
        ("0,\n1,", None, "the last epoch"),
    ],
)
def test_which_epoch_is_kept(tmp_path, rows, kept, words):
    (tmp_path / "history.csv").write_text(f"epoch,val_loss\n{rows}\n")
    record = RunRecord(tmp_path)
    assert (record.kept, record.kept_in_words) == (kept, words)


def test_a_folder_without_a_run(tmp_path):
    assert (RunRecord(tmp_path).history, RunRecord(tmp_path).kept) == ([], None)
