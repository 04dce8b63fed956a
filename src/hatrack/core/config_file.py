"""Reading ``hatrack.yaml``: every fault found in one go, unknown keys with "did you mean" (F09)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from hatrack.core.config import AdapterConfig, ProjectConfig
from hatrack.core.errors import ConfigError
from hatrack.core.names import closest

__all__ = ["CONFIG_NAME", "OptionModels", "config_faults", "parse_config", "read_config"]

CONFIG_NAME = "hatrack.yaml"

# A server reads the config too and installs no trainer: only the commands that train pass this, so that the options
# of each method are checked together with the rest of the file.
OptionModels = Callable[[str], type[BaseModel]]

_KEY = "[key]"  # pydantic's place for a fault in the name of an entry


def read_config(folder: Path, option_models: OptionModels | None = None) -> ProjectConfig:
    """Read the config of the project in ``folder``.

    Raises:
        ConfigError: no such file, not YAML, or any number of faults in it, all of them listed.
    """
    path = folder / CONFIG_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no {CONFIG_NAME} in this folder",
            given=str(folder),
            fix="run `hatrack init` here, or name the project with --project FOLDER",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{CONFIG_NAME} is not UTF-8", given=f"byte {error.start}: 0x{error.object[error.start]:02x}", fix="save it as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(f"{CONFIG_NAME} cannot be read", given=f"{path}: {error.strerror}") from error
    return parse_config(text, option_models)


def parse_config(text: str, option_models: OptionModels | None = None) -> ProjectConfig:
    """As ``read_config``, from the file's text."""
    try:
        raw = yaml.load(text, Loader=_NoDuplicates)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(
            f"{CONFIG_NAME} is not valid YAML", given=where + str(getattr(error, "problem", None) or error), fix="correct that line"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{CONFIG_NAME} is nested too deeply", fix="write it without so many brackets") from error
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{CONFIG_NAME} must hold keys and values", given=type(raw).__name__, allowed=", ".join(ProjectConfig.model_fields)
        )
    faults: list[str] = []
    config: ProjectConfig | None = None
    try:
        config = ProjectConfig.model_validate(raw)
    except ValidationError as error:
        faults += config_faults(error, ProjectConfig)
    if option_models is not None:
        faults += _option_faults(raw.get("adapters"), option_models)
    if faults or config is None:
        count = f"{len(faults)} fault" + ("s" if len(faults) != 1 else "")
        raise ConfigError(f"{CONFIG_NAME} has {count}", faults=tuple(faults), fix="correct them and run the command again")
    return config


def config_faults(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[str]:
    """One sentence for each fault, named by its place in the file."""
    sentences = []
    for fault in error.errors(include_url=False):
        place = prefix + ".".join(str(part) for part in fault["loc"] if part != _KEY)
        if fault["type"] == "extra_forbidden":
            known = _fields_at(model, fault["loc"][:-1])
            sentences.append(_unknown_key(place, str(fault["loc"][-1]), known))
        elif fault["type"] == "missing":
            sentences.append(f"{place}: this key is required")
        else:
            message = fault["msg"].removeprefix("Value error, ")
            given = "" if isinstance(fault["input"], dict | list) else f" (given: {fault['input']!r})"
            sentences.append(f"{place}: {message}{given}" if place else message)
    return sentences


def _unknown_key(place: str, key: str, known: list[str]) -> str:
    near = closest(key, known, 1)
    hint = f"did you mean {near[0]}?" if near else "allowed: " + ", ".join(sorted(known))
    return f"{place}: unknown key; {hint}"


def _option_faults(adapters: Any, option_models: OptionModels) -> list[str]:
    """Faults in the keys that belong to each adapter's method."""
    sentences: list[str] = []
    if not isinstance(adapters, dict):
        return sentences
    for name, entry in adapters.items():
        if not isinstance(entry, dict):
            continue
        method = entry.get("method", AdapterConfig.model_fields["method"].default)
        try:
            model = option_models(str(method))
        except ConfigError as error:
            sentences.append(f"adapters.{name}.method: {error.what}; allowed: {error.allowed}")
            continue
        options = {str(key): value for key, value in entry.items() if key not in AdapterConfig.model_fields}
        unknown = [key for key in options if key not in model.model_fields]
        known = [*AdapterConfig.model_fields, *model.model_fields]
        sentences += [_unknown_key(f"adapters.{name}.{key}", key, known) for key in unknown]
        try:
            model.model_validate({key: value for key, value in options.items() if key not in unknown})
        except ValidationError as error:
            sentences += config_faults(error, model, f"adapters.{name}.")
        sentences += _sweep_faults(f"adapters.{name}.sweep.methods", entry.get("sweep"), option_models)
    return sentences


def _sweep_faults(place: str, sweep: Any, option_models: OptionModels) -> list[str]:
    """Methods to be tried that do not exist."""
    methods = sweep.get("methods") if isinstance(sweep, dict) else None
    sentences = []
    for method in methods if isinstance(methods, list) else filter(None, [methods]):
        try:
            option_models(str(method))
        except ConfigError as error:
            sentences.append(f"{place}: {error.what}; {error.fix or f'allowed: {error.allowed}'}")
    return sentences


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys allowed at a place in the file: walks annotations the way the file is nested."""
    current: Any = model
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        else:  # a dict of models
            current = _model_among(current)
        if get_origin(current) in (Union, UnionType):  # an optional one
            current = _model_among(current)
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _model_among(annotation: Any) -> Any:
    return next((a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, BaseModel)), None)


class _NoDuplicates(yaml.SafeLoader):
    """YAML lets the second of two equal keys win in silence; here it is a fault."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue  # `<<: *anchor` stands for other keys; what is written beside it wins on purpose
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                problem = "a key must be a word, not a list or a mapping; put braces in quotes"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} occurs twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
