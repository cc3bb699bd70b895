"""The exceptions that spineseg raises on purpose, with the exit codes of commands that end by them.

Only `spineseg_cli.cli.common` turns them into a sentence on stderr and an exit code. A message says what was expected, what was
given, and what to do.
"""


class SpinesegError(Exception):
    """The base class; a command that ends by such an error exits with `exit_code`."""

    exit_code = 1


class RuntimeUnavailableError(SpinesegError):
    """A requested inference runtime or device is not available."""


class InputError(SpinesegError):
    """Invalid arguments or input, which the user can correct."""

    exit_code = 2


class GridMismatchError(InputError):
    """Two images are not on the same voxel grid."""


class WeightsError(InputError):
    """A weights file is missing, damaged, or does not fit its network."""
