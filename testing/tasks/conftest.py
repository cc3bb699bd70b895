"""The shipped networks of the cord."""

import pytest

from spineseg_cli.tasks.cord import segment_cord
from spineseg_cli.tasks.registry import TASKS


@pytest.fixture(scope="session")
def segment():
    """`segment_cord` with the shipped networks, as the command has them."""
    predictor = TASKS["cord"].find_model().predictor("cpu")
    localizer = TASKS["cord"].localizer(predictor)
    return lambda image: segment_cord(image, predictor, localizer)
