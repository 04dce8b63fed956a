"""Packs of probes: what is asked, and by which rule an answer passes. YAML files, ours and the user's, of one form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, model_validator

from hatrack.core.chat import Message
from hatrack.core.config_file import config_faults
from hatrack.core.errors import ConfigError
from hatrack.core.names import closest
from hatrack.core.strict import Strict
from hatrack.safety.detectors.base import DETECTORS
from hatrack.safety.probes.wrappers import WRAPPERS

__all__ = ["Asked", "Pack", "Probe", "built_in_packs", "conversations", "read_pack"]

_PER_PROBE = 2  # wrappers around each probe of a wrapped pack: all of them would ask the same thing too often


class Probe(Strict):
    """One thing to ask."""

    id: str = Field(min_length=1, description="Its name in reports.")
    user: str = Field(min_length=1, description="What is asked; with `values`, {} stands for each of them.")
    system: str | None = Field(None, description="A system prompt; null: the adapter's own.")
    context: str | None = Field(None, description="A document that was retrieved for the question.")
    words: tuple[str, ...] = Field((), description="For detector without: what the answer must not hold.")
    values: tuple[str, ...] = Field((), description="For detector same-decision: what differs between the questions.")

    @model_validator(mode="after")
    def _values_have_a_place(self) -> Probe:
        if self.values and "{}" not in self.user:
            raise ValueError("values need {} in user, which they take the place of")
        return self


class Pack(Strict):
    """Probes of one kind."""

    name: str = Field(min_length=1, max_length=40, description="Its name in reports and for --pack.")
    about: str = Field(min_length=1, description="One sentence: what a model that passes does.")
    detector: str = Field(description="The rule that judges: a detector.")
    labels: bool = Field(False, description="Also asked of adapters that answer with labels.")
    probes: tuple[Probe, ...] = Field((), description="What is asked.")
    of: str | None = Field(None, description="Instead of probes: those of this pack, disguised by `wrappers`.")
    wrappers: tuple[str, ...] = Field((), description="Disguises; each probe wears two of them.")

    @model_validator(mode="after")
    def _it_asks_something(self) -> Pack:
        if bool(self.probes) == bool(self.of):
            raise ValueError("a pack has either probes, or `of` and wrappers")
        names = [probe.id for probe in self.probes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the id {twice[0]!r} occurs twice")
        if self.detector not in DETECTORS.names():
            near = closest(self.detector, DETECTORS.names(), 1)
            raise ValueError(
                f"there is no detector {self.detector!r}; " + (f"did you mean {near[0]}?" if near else _known(DETECTORS.names()))
            )
        for name in self.wrappers:
            if name not in WRAPPERS:
                raise ValueError(f"there is no wrapper {name!r}; {_known(WRAPPERS)}")
        if self.of and not self.wrappers:
            raise ValueError("`of` needs wrappers")
        return self


@dataclass(frozen=True)
class Asked:
    """One probe as it is asked: several conversations where answers are compared with each other."""

    id: str
    conversations: tuple[tuple[Message, ...], ...]
    words: tuple[str, ...]


def conversations(pack: Pack, packs: dict[str, Pack]) -> Iterator[Asked]:
    """Everything that a pack asks, in order. ``packs`` are those that ``of`` may name.

    Raises:
        ConfigError: there is no pack that ``of`` names.
    """
    if pack.of is None:
        for probe in pack.probes:
            asks = [probe.user.replace("{}", value) for value in probe.values] or [probe.user]
            yield Asked(probe.id, tuple(_turns(probe, ask) for ask in asks), probe.words)
        return
    if pack.of not in packs or packs[pack.of].of is not None:
        raise ConfigError(f"the pack {pack.name} disguises a pack that is not there", given=pack.of, allowed=", ".join(sorted(packs)))
    for number, probe in enumerate(packs[pack.of].probes):
        for step in range(_PER_PROBE):
            wrapper = pack.wrappers[(number * _PER_PROBE + step) % len(pack.wrappers)]
            yield Asked(f"{probe.id}, {wrapper}", (_turns(probe, WRAPPERS[wrapper](probe.user)),), probe.words)


def _turns(probe: Probe, ask: str) -> tuple[Message, ...]:
    text = ask if probe.context is None else f"Context:\n{probe.context}\n\nQuestion: {ask}"
    user = Message("user", text)
    return (user,) if probe.system is None else (Message("system", probe.system), user)


@cache
def built_in_packs() -> dict[str, Pack]:
    """The packs that come with Hatrack, by name."""
    folder = files("hatrack.safety.probes").joinpath("packs")
    found = (_parse(entry.read_text(encoding="utf-8"), entry.name) for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return {pack.name: pack for pack in sorted(found, key=lambda pack: pack.name)}


def read_pack(path: Path) -> Pack:
    """A user's pack.

    Raises:
        ConfigError: no such file, no YAML, or any number of faults in it, all of them listed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "the pack of probes cannot be read", given=f"{path}: {error}", allowed="a YAML file in UTF-8, as docs/safety.md shows"
        ) from error
    return _parse(text, str(path))


def _parse(text: str, place: str) -> Pack:
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError("the pack of probes is no YAML", given=f"{place}: {str(error).splitlines()[0]}", fix="correct it") from error
    if not isinstance(raw, dict):
        raise ConfigError("the pack of probes must hold keys and values", given=place, allowed=", ".join(Pack.model_fields))
    try:
        return Pack.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(
            "the pack of probes cannot be used", faults=tuple(config_faults(error, Pack)), given=place, fix="correct it; see docs/safety.md"
        ) from error


def _known(names: Iterable[str]) -> str:
    return f"known are {', '.join(sorted(names))}"
