"""The steps of processing one scan, each in its own module. Only these modules of `cohort` call the tasks.

A step is a function that takes a `StepContext`, writes files, and returns a `StepResult`; if it raises, the step has failed for
the scan. To add a step, add a module here, a line in `STEPS`, and its name (`STEP_NAMES`) and options in `cohort.settings`.
"""

from __future__ import annotations

from spineseg_cli.cohort.settings import STEP_NAMES
from spineseg_cli.cohort.steps.centerline import CENTERLINE
from spineseg_cli.cohort.steps.cord import CORD
from spineseg_cli.cohort.steps.gray_matter import GRAY_MATTER
from spineseg_cli.cohort.steps.measures import MEASURES
from spineseg_cli.cohort.steps.pictures import PICTURES
from spineseg_cli.cohort.steps.step import Step, StepContext, StepResult

__all__ = ["STEPS", "Step", "StepContext", "StepResult"]

# In the order in which they are run.
STEPS: dict[str, Step] = dict(zip(STEP_NAMES, (CENTERLINE, CORD, GRAY_MATTER, MEASURES, PICTURES), strict=True))
