"""What commands print on stderr."""

import logging

import pytest

from spineseg_cli.cli.console import configure_log

pytestmark = pytest.mark.light


def test_a_warning_is_printed_once_and_steps_as_often_as_they_happen(capsys):
    log = logging.getLogger("spineseg_cli.anything")
    configure_log(2)
    for scan in ("a.nii", "b.nii", "a.nii"):
        log.warning("%s has a doubtful header", scan)
        log.debug("outline")
    assert capsys.readouterr().err.splitlines() == [
        "a.nii has a doubtful header", "outline", "b.nii has a doubtful header", "outline", "outline"
    ]  # fmt: skip
    configure_log(0)
    log.warning("c.nii")
    assert not capsys.readouterr().err
