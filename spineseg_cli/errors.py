"""The exception tree: everything that spineseg raises on purpose, with the exit code a command ends with.

The library raises; `spineseg_cli.cli.common` alone turns these into one sentence on stderr and an exit code.
A message says what was expected, what arrived, and what to do.
"""


class SpinesegError(Exception):
    """Base of every error that spineseg raises on purpose; a command that meets one exits with `exit_code`."""

    exit_code = 1


class RuntimeUnavailableError(SpinesegError):
    """An inference runtime or device that was asked for is not installed or not present."""


class InputError(SpinesegError):
    """Bad arguments or input: the user can mend it."""

    exit_code = 2


class GridMismatchError(InputError):
    """Two images that must share a voxel grid do not."""


class WeightsError(InputError):
    """A weights file that is missing, damaged, or does not fit the network it was given for."""
