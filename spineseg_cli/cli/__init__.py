"""The commands: parse, call one pipeline, report."""

from spineseg_cli.cli.process import prepare_process

prepare_process()
