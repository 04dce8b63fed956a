"""Options by the library's own names, checked against what the library takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hatrack.core.errors import ConfigError
from hatrack.core.names import closest

__all__ = ["built", "known_options"]

T = TypeVar("T")


def known_options(options: Mapping[str, Any], allowed: list[str], model: str) -> None:
    """Refuse what the library does not know.

    Raises:
        ConfigError: an unknown option, with the nearest known one.
    """
    for key in options:
        if key not in allowed:
            near = closest(key, allowed, 1)
            raise ConfigError(
                f"the model {model} has no option {key!r}",
                given=f"options: {{{key}: {options[key]}}}",
                allowed=", ".join(allowed),
                fix=f"did you mean {near[0]}?" if near else "",
            )


def built(kind: Callable[..., T], options: Mapping[str, Any], model: str) -> T:
    """An estimator of scikit-learn with these options.

    Raises:
        ConfigError: an unknown option.
    """
    known_options(options, sorted(set(inspect.signature(kind).parameters) - {"random_state", "n_jobs", "verbose", "warm_start"}), model)
    return kind(**options)
