"""A count of seconds on a terminal, for what takes long."""

import io
import time

import pytest

from spineseg_cli.cli import waiting


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown_by(stream, monkeypatch, seconds):
    """What is printed while something takes so many seconds, where a count starts after 0.2."""
    monkeypatch.setattr("sys.stderr", stream)  # here, because pytest has its own in each phase of a test
    monkeypatch.setattr(waiting, "FIRST_S", 0.2)
    monkeypatch.setattr(waiting, "EVERY_S", 0.05)
    with waiting.seconds_counted("slow"):
        time.sleep(seconds)
    return stream.getvalue()


def test_what_takes_long_is_counted_on_a_terminal_and_nothing_stays(monkeypatch):
    *counts, blank, end = shown_by(Terminal(), monkeypatch, 0.5).split("\r")
    assert counts[0] == "slow: 0 s"
    assert (blank, end) == (" " * len(counts[-1]), "")


@pytest.mark.parametrize(("stream", "seconds"), [(Terminal(), 0), (io.StringIO(), 0.5)], ids=["soon done", "no terminal"])
def test_else_nothing_is_printed(monkeypatch, stream, seconds):
    assert shown_by(stream, monkeypatch, seconds) == ""
