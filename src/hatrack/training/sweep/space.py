"""The settings a sweep can try: every combination of its lists that means something for the method, the task and the base.

A list that a method has no place for is no dimension of it: IA3 has no rank, so it is tried once where LoRA is tried
with each. Which option is a method's rank, and what keeps its ratio to it, is said by its traits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from hatrack.core.config import AdapterConfig
from hatrack.core.digest import sha256_json
from hatrack.core.errors import HatrackError, MissingExtra, TargetsNotFound, TrainingError
from hatrack.models.loading import BaseModelFiles
from hatrack.training.footprint import bare_layout
from hatrack.training.matching import check_method, check_task
from hatrack.training.methods.base import METHODS
from hatrack.training.objectives.base import OBJECTIVES

__all__ = ["Settings", "Space", "open_space"]

_METHODS = ("lora", "bottleneck", "ia3", "last-n")  # small, layered, smallest, large: four different ideas
_RATES = (0.3, 1.0, 3.0)

Options = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """One point of the space.

    Attributes:
        options: the method's keys, as they would stand in ``hatrack.yaml``.
        learning_rate: peak learning rate.
        times: what multiple of the method's own learning rate that is.
        rank, targets, last_layers: as the options say, None where the method has no such thing or takes all.
        parameters: how many are trained.
    """

    method: str
    options: Options
    learning_rate: float
    times: float
    rank: int | None
    targets: tuple[str, ...] | None
    last_layers: int | None
    parameters: int

    @property
    def key(self) -> str:
        """Equal for settings that train the same."""
        return sha256_json([self.method, self.learning_rate, self.rank, self.targets, self.last_layers, self.parameters])

    def __str__(self) -> str:
        parts = [self.method]
        if self.rank is not None:
            parts.append(f"rank {self.rank}")
        if self.targets:
            parts.append("+".join(self.targets))
        if self.last_layers is not None:
            parts.append(f"last {self.last_layers} blocks")
        return ", ".join([*parts, f"rate {self.learning_rate:.3g} (x{self.times:.2g})"])

    def config(self, adapter: AdapterConfig, share: float) -> AdapterConfig:
        """The adapter with these settings, trained for ``share`` of its epochs."""
        rest = adapter.model_dump(exclude={"method", *adapter.options})
        train = rest["train"] | {"learning_rate": self.learning_rate, "epochs": adapter.train.epochs * share}
        if share < 1:
            train["report_to"] = ()  # a tracker is to follow trainings, not glimpses of them
        return AdapterConfig.model_validate({**rest, **self.options, "method": self.method, "train": train})


@dataclass(frozen=True)
class Space:
    """All settings of one sweep.

    Attributes:
        own: those of the adapter as ``hatrack.yaml`` has it; always tried.
        others: all that the lists allow, without ``own``.
        notes: what of the lists is left out, and why.
    """

    own: Settings
    others: tuple[Settings, ...]
    notes: tuple[str, ...]


def open_space(config: AdapterConfig, files: BaseModelFiles) -> Space:
    """Combine the lists under ``sweep``, and try each layout on the base's shapes; no weight is read.

    Raises:
        TrainingError: the task or the adapter's own method does not fit the base, or no combination can be trained.
        TargetsNotFound: the adapter's own options match nothing.
    """
    check_task(config, files)
    check_method(config, files)
    builder = _Builder(config, files)
    own = builder.own()
    found = {settings.key: settings for settings in builder.all()}
    if not found:
        raise TrainingError(
            "none of the settings under sweep can be trained",
            given="; ".join(builder.notes),
            fix="correct the lists under sweep, or leave them out",
        )
    others = tuple(settings for key, settings in found.items() if key != own.key)
    return Space(own, others, tuple(dict.fromkeys(builder.notes)))


class _Builder:
    """Settings by method, and what was left out on the way."""

    def __init__(self, config: AdapterConfig, files: BaseModelFiles) -> None:
        self._config, self._files, self._space = config, files, config.sweep
        self.notes: list[str] = []
        self._scale = OBJECTIVES.get(config.task).rate_scale

    def own(self) -> Settings:
        config, method = self._config, self._config.method
        rate = config.train.learning_rate or self._rate(method)
        return self._settings(method, config.options, rate, self._trained(method, config.options))

    def all(self) -> Iterator[Settings]:
        for method in self._methods():
            try:
                check_method(self._config.model_copy(update={"method": method}), self._files)
            except TrainingError as error:
                self.notes.append(error.what)
                continue
            for options in self._options(method):
                try:
                    trained = self._trained(method, options)
                except (TargetsNotFound, MissingExtra, ValidationError) as error:
                    self.notes.append(f"left out: {method}: {_reason(error)}")
                    continue
                yield from (self._settings(method, options, rate, trained) for rate in self._rates(method))

    def _methods(self) -> Sequence[str]:
        if self._space.methods is not None:
            return tuple(dict.fromkeys(self._space.methods))
        own = self._config.method
        if self._config.parent is not None:
            return (own,)  # the parent's weights fit nothing else
        return tuple(name for name in dict.fromkeys((own, *_METHODS)) if self._files.kind in METHODS.get(name).traits.kinds)

    def _options(self, method: str) -> Iterator[Options]:
        """The method's keys, with every choice of rank, target modules and layers that it has a place for."""
        traits, model, space = METHODS.get(method).traits, METHODS.get(method).options, self._space
        start = self._start(method)
        choices: list[list[Options]] = [[{}]]
        for key, values in (("target_modules", space.targets), ("last_layers", space.last_layers)):
            if values is not None and key in model.model_fields:
                choices.append([{key: value} for value in values])
            elif values is not None:
                self.notes.append(f"{method} has no {key}; it is tried without")
        if space.ranks is not None and traits.rank and self._config.parent is None:
            choices.append([_ranked(model, start, traits.rank, rank) for rank in dict.fromkeys(space.ranks)])
        elif space.ranks is not None and not traits.rank:
            self.notes.append(f"{method} has no rank; it is tried without")
        for chosen in itertools.product(*choices):
            yield {**start, **{key: value for part in chosen for key, value in part.items()}}

    def _start(self, method: str) -> Options:
        """The adapter's own keys as far as the method has them; ranks of one method say nothing of another's."""
        if method == self._config.method:
            return self._config.options
        apart = {key for name in (method, self._config.method) for key in METHODS.get(name).traits.rank}
        known = METHODS.get(method).options.model_fields
        return {key: value for key, value in self._config.options.items() if key in known and key not in apart}

    def _rates(self, method: str) -> list[float]:
        given = self._space.learning_rates
        multiples = self._space.rates or (() if given else _RATES)
        return list(dict.fromkeys([*(times * self._rate(method) for times in multiples), *(given or ())]))

    def _rate(self, method: str) -> float:
        return METHODS.get(method)().learning_rate(self._files.kind) * self._scale

    def _trained(self, method: str, options: Options) -> int:
        """How many parameters would be trained."""
        chosen = METHODS.get(method)
        return chosen().apply(bare_layout(self._files), chosen.options.model_validate(options), self._files.kind)[1].trained

    def _settings(self, method: str, options: Options, rate: float, trained: int) -> Settings:
        full = METHODS.get(method).options.model_validate(options).model_dump()
        rank = METHODS.get(method).traits.rank
        return Settings(
            method=method,
            options=options,
            learning_rate=rate,
            times=rate / self._rate(method),
            rank=full[rank[0]] if rank else None,
            targets=full.get("target_modules"),
            last_layers=full.get("last_layers"),
            parameters=trained,
        )


def _ranked(model: type[BaseModel], start: Options, keys: Sequence[str], rank: int) -> Options:
    """The options for a rank: what belongs to it keeps its ratio, whole numbers rounded up."""
    now = {key: start.get(key, model.model_fields[key].default) for key in keys}
    if now[keys[0]] == rank:
        return {}
    scaled = {key: value * rank / now[keys[0]] for key, value in now.items()}
    return {key: math.ceil(value) if model.model_fields[key].annotation is int else value for key, value in scaled.items()}


def _reason(error: HatrackError | ValidationError) -> str:
    if isinstance(error, HatrackError):
        return error.what + (f" (given: {error.given}; allowed: {error.allowed})" if error.given else "")
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'options'}: {fault['msg']}" + (f" (given: {fault['input']})" if fault["loc"] else "")
        for fault in error.errors(include_url=False)
    )
