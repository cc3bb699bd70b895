"""The types of the fields of a training configuration: names in registries with their options, and the inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, PlainSerializer

from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.registry import Registry
from spineseg_cli.errors import SpinesegError
from spineseg_cli.networks import NETWORKS
from spineseg_cli.synthesis.contrasts import CONTRASTS
from spineseg_cli.tasks.registry import label_kinds
from spineseg_cli.training.choices import AUGMENTATIONS, LOSSES, SCHEDULES, TRAINING_METRICS

Probability = Annotated[float, Field(ge=0, le=1)]
Output = Annotated[str, AfterValidator(lambda name: known_in(label_kinds())(name))]


class Section(BaseModel):
    """A frozen section of a configuration, which refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants", allow_inf_nan=False)


class NamedOptions(BaseModel):
    """The name of an entry of a registry, and its options."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The options without the name."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def as_dict(self) -> dict[str, Any]:
        """The name and the options."""
        return {"name": self.name, **self.options}


def known_in(registry: Mapping[str, Any]) -> Callable[[str], str]:
    """Return a validator that accepts the names in a registry."""

    def check(name: str) -> str:
        """Return the name, if the registry has it."""
        if name not in registry:
            raise ValueError(f"expected one of {', '.join(registry)}")
        return name

    return check


def _chosen_from(registry: Registry) -> Callable[[NamedOptions], NamedOptions]:
    """Return a validator that accepts a name in a registry with valid options, and adds the defaults of missing options."""

    def check(chosen: NamedOptions) -> NamedOptions:
        """Return the name with all options, if they fit."""
        known_in(registry)(chosen.name)
        known = registry[chosen.name].options
        for option, value in chosen.options.items():
            if known is None:
                continue
            if option not in known:
                raise ValueError(f"{chosen.name} has no option {option}; expected {', '.join(known) or 'none'}")
            if isinstance(known[option], (int, float)):
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                if not number or not value >= 0 or (isinstance(known[option], int) and not (isinstance(value, int) and value)):
                    wanted = "a positive whole number" if isinstance(known[option], int) else "a number of 0 or more"
                    raise ValueError(f"expected {wanted} as {option}; got {value!r}")
        return NamedOptions(name=chosen.name, **{**(known or {}), **chosen.options})

    return check


def _from_name(value: Any) -> Any:
    """Return a bare name as a mapping without options."""
    return {"name": value} if isinstance(value, str) else value


def _inference(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    try:
        inference = InferenceConfig.from_dict(dict(value))
    except SpinesegError as error:
        known = ", ".join(InferenceConfig().to_dict())
        raise ValueError(f"{error} (a configuration may set {known})") from None
    if faults := inference.faults():
        raise ValueError(f"impossible values: {', '.join(f'{name} {value[name]!r}' for name in faults)}")
    return inference


Network = Annotated[NamedOptions, BeforeValidator(_from_name), AfterValidator(_chosen_from(NETWORKS))]
Loss = Annotated[NamedOptions, BeforeValidator(_from_name), AfterValidator(_chosen_from(LOSSES))]
Schedule = Annotated[NamedOptions, BeforeValidator(_from_name), AfterValidator(_chosen_from(SCHEDULES))]
Profile = Annotated[str, AfterValidator(known_in(AUGMENTATIONS))]
Metric = Annotated[str, AfterValidator(known_in(TRAINING_METRICS))]
Contrast = Annotated[str, AfterValidator(known_in(CONTRASTS))]
Inference = Annotated[InstanceOf[InferenceConfig], BeforeValidator(_inference), PlainSerializer(InferenceConfig.to_dict)]
