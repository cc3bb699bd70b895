"""What commands print on stderr."""

import logging

import click
import pytest
from click.testing import CliRunner

from spineseg_cli.cli.console import log_on_stderr
from spineseg_cli.cli.options import common_options

pytestmark = pytest.mark.light


def test_a_warning_is_printed_once_and_steps_as_often_as_they_happen(capsys):
    log = logging.getLogger("spineseg_cli.anything")
    with log_on_stderr(2):
        for scan in ("a.nii", "b.nii", "a.nii"):
            log.warning("%s has a doubtful header", scan)
            log.debug("outline")
    assert capsys.readouterr().err.splitlines() == [
        "a.nii has a doubtful header", "outline", "b.nii has a doubtful header", "outline", "outline"
    ]  # fmt: skip
    with log_on_stderr(0):
        log.warning("c.nii")
    assert not capsys.readouterr().err


def test_a_command_leaves_the_log_as_it_was():
    def state():
        root = logging.getLogger()
        return root.handlers, root.level, logging.getLogger("spineseg_cli").level

    before, during = state(), []

    @click.command()
    @common_options
    def command(verbose):
        during.append(state())

    result = CliRunner().invoke(command, ["-v", "2"])
    assert result.exit_code == 0
    assert during[0] != before
    assert state() == before
