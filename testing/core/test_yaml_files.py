"""Changes of fields that are given on a command line."""

import pytest

from spineseg_cli.core.yaml_files import nested, parse_changes
from spineseg_cli.errors import InputError


def test_changes_from_a_command_line():
    found = parse_changes(["optimizer.epochs=5", "optimizer.learning_rate=1e-5", "a.b=[1, 2]", "c=null"])
    assert nested(found) == {"optimizer": {"epochs": 5, "learning_rate": 1e-5}, "a": {"b": [1, 2]}, "c": None}
    for wrong in ("epochs", "=5", "network={"):
        with pytest.raises(InputError, match="expected NAME=VALUE, such as optimizer.epochs=5"):
            parse_changes([wrong])
