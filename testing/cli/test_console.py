"""What commands print on stderr."""

import contextlib
import logging

import click
import pytest

from spineseg_cli.cli.common import SpinesegCommand
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


@pytest.mark.parametrize("args", [["-v", "2"], ["-v", "2", "--unknown"]])
def test_a_command_leaves_the_log_as_it_was(args):
    def state():
        root = logging.getLogger()
        return root.handlers, root.level, logging.getLogger("spineseg_cli").level

    before, during = state(), []

    @click.command(cls=SpinesegCommand)
    @common_options
    @click.pass_context
    def command(ctx, verbose):
        during.append(state())

    with contextlib.suppress(click.ClickException):
        with command.make_context("command", args) as ctx:
            command.invoke(ctx)
        assert during[0] != before
    assert state() == before
