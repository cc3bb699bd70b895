"""What native libraries print while they load."""

import os
import tempfile

import pytest

from spineseg_cli.core.inference.runtime import native_stderr_muted


def test_it_is_held_back_and_shown_if_loading_fails(capfd):
    with native_stderr_muted():
        os.write(2, b"a greeting")
    assert capfd.readouterr().err == ""

    def fail():
        with native_stderr_muted():
            os.write(2, b"a reason")
            raise ValueError("no such")

    with pytest.raises(ValueError, match="no such"):
        fail()
    assert capfd.readouterr().err == "a reason"


def test_where_nothing_can_be_held_back_it_is_let_through(capfd, monkeypatch):
    """A container, say, in which no folder for temporary files can be written to."""

    def refuse():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with native_stderr_muted():
        os.write(2, b"a greeting")
    assert capfd.readouterr().err == "a greeting"
