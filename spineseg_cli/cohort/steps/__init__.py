"""The steps on one scan, each in a module of its own; the only part of a cohort that calls the tasks.

A step is a function of a `Work`. It writes files, and returns an `Outcome`; what it raises is the scan's failure. A new step is a
module here, a line in `STEPS`, and its options in `cohort.settings`.
"""

from __future__ import annotations

from spineseg_cli.cohort.settings import STEPS as NAMES
from spineseg_cli.cohort.steps.centerline import CENTERLINE
from spineseg_cli.cohort.steps.cord import CORD
from spineseg_cli.cohort.steps.gray_matter import GRAY_MATTER
from spineseg_cli.cohort.steps.measures import MEASURES
from spineseg_cli.cohort.steps.pictures import PICTURES
from spineseg_cli.cohort.steps.step import Outcome, Step
from spineseg_cli.cohort.steps.work import Work

__all__ = ["NEEDS", "STEPS", "Outcome", "Step", "Work"]

# In the order in which they are done.
STEPS: dict[str, Step] = dict(zip(NAMES, (CENTERLINE, CORD, GRAY_MATTER, MEASURES, PICTURES), strict=True))

# What a step cannot do without.
NEEDS = {"gm": "cord", "measures": "cord", "pictures": "cord"}
