"""Optional dependencies: imported at their edge, with the reason and the remedy when they are absent."""

from __future__ import annotations

import importlib
from types import ModuleType

from hatrack.core.errors import MissingExtra

__all__ = ["require"]


def require(module: str, *, extra: str, reason: str) -> ModuleType:
    """Import ``module`` or say which extra brings it and what it is needed for.

    Raises:
        MissingExtra: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] != module.split(".")[0]:
            raise  # the module is there; something it needs is not, and that message is the useful one
        raise MissingExtra(
            f"{reason} needs the package {module.split('.')[0]}, which is not installed",
            allowed=f"the extra {extra}",
            fix=f'pip install "hatrack[{extra}]"',
        ) from error
