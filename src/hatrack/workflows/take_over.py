"""Another trainer's config as this project's: converted, every difference said, checked, written down."""

from __future__ import annotations

from pathlib import Path

import yaml
from rich.console import Console

from hatrack.core.atomic import write_text
from hatrack.core.config_file import CONFIG_NAME, parse_config
from hatrack.core.errors import ConfigError
from hatrack.training.axolotl.convert import convert
from hatrack.training.methods.base import option_model

__all__ = ["take_over"]


def take_over(path: Path, root: Path, console: Console, *, accept: bool) -> None:
    """Write ``hatrack.yaml`` in ``root`` from the Axolotl config at ``path``; its file paths are meant from ``root``.

    Args:
        accept: go on where a key has no counterpart and another model would be trained.

    Raises:
        ConfigError: no such file, keys without counterpart that were not accepted, faults in what came of it, or a
            ``hatrack.yaml`` that says something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "the Axolotl config cannot be read", given=f"{path}: {error}", allowed="a config.yml that `axolotl train` takes"
        ) from error
    config, unmatched = convert(text)
    decides = [one for one in unmatched if one.decides]
    for one in unmatched:
        console.print(f"{path.name}: {one.key}: {one.reason}", style="yellow" if one.decides else "dim", markup=False)
    if decides and not accept:
        raise ConfigError(
            f"keys of {path.name} have no counterpart; another model would be trained",
            faults=tuple(f"{one.key}: {one.reason}" for one in decides),
            fix="remove or change them, or accept the differences with --accept",
        )
    written = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    parse_config(written, option_model)
    target = root / CONFIG_NAME
    if target.exists() and yaml.safe_load(target.read_text(encoding="utf-8")) != config:
        raise ConfigError(
            f"there is a {CONFIG_NAME} already, and it says something else",
            given=str(target),
            fix="train with it as it is, or move it away, or name another folder with --project",
        )
    write_text(target, f"# From {path.name}; see docs/axolotl.md for what its keys became.\n{written}")
    console.print(f"{path.name} is now {target}")
