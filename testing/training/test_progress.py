"""The progress of a run: a bar on a terminal, lines elsewhere, or nothing."""

import io
import sys

import pytest

from spineseg_cli.training.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal, True), (io.StringIO, True), (Terminal, False)])
def test_progress(monkeypatch, stream, shown):
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    with ProgressBar(epochs=4, steps=5, done=1, shown=shown) as bar:
        for _ in range(5):
            bar.end_step()
        bar.end_epoch({"epoch": 1, "learning_rate": 0.1, "loss": -0.123456})
    text = stderr.getvalue()
    if not shown:
        assert text == ""
    elif stream is Terminal:
        assert "10/20" in text
        assert "<00:00" in text, "the time left"
        assert "epoch=2/4, loss=-0.1235" in text
    else:
        assert text == "epoch 2/4: loss -0.1235\n"
