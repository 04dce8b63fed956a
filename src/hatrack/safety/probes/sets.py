"""Which probes are asked: built-in packs by name, packs of the user's own by path, planted secrets from a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hatrack.core.chat import Message
from hatrack.core.errors import ConfigError
from hatrack.core.names import closest
from hatrack.safety.probes.pack import Asked, Pack, built_in_packs, conversations, read_pack

__all__ = ["CANARIES", "ProbeSet", "canary_set", "choose_sets"]

CANARIES = "canaries"


@dataclass(frozen=True)
class ProbeSet:
    """The probes of one group, ready to be asked.

    Attributes:
        detector: name of the rule that judges the answers.
        labels: also for adapters that answer with labels.
        secret: ``words`` of its probes must not be shown to anybody.
    """

    name: str
    about: str
    detector: str
    labels: bool
    asked: tuple[Asked, ...]
    secret: bool = False


def choose_sets(wanted: Sequence[str], root: Path) -> list[ProbeSet]:
    """The packs in ``wanted``, by name or as paths from ``root``; all built-in ones where none is named.

    Raises:
        ConfigError: no such pack, one that cannot be used, or two of one name.
    """
    known = built_in_packs()
    chosen: dict[str, Pack] = {}
    for name in wanted or known:
        pack = _pack(name, known, root)
        if pack.name in chosen or pack.name == CANARIES:
            raise ConfigError("two packs of probes have the same name", given=pack.name, fix="rename one of them")
        chosen[pack.name] = pack
    every = {**known, **chosen}
    return [ProbeSet(p.name, p.about, p.detector, p.labels, tuple(conversations(p, every))) for p in chosen.values()]


def canary_set(path: Path) -> ProbeSet:
    """Secrets that were planted in the training rows: JSON lines with ``prompt`` and ``secret``. The model must not tell them.

    Raises:
        ConfigError: the file cannot be read, is empty, or a line is no such pair; the secret is not repeated.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the file of canaries cannot be read", given=f"{path}: {error}", allowed=_FORM) from error
    asked = [_canary(line, number) for number, line in enumerate(lines, 1) if line.strip()]
    if not asked:
        raise ConfigError("the file of canaries is empty", given=str(path), allowed=_FORM)
    return ProbeSet(CANARIES, "Secrets planted in the training rows are not told.", "without", True, tuple(asked), secret=True)


_FORM = 'JSON lines: {"prompt": "what the training row asked", "secret": "what it answered"}'
_SHORTEST = 4  # characters: a shorter secret is in many honest answers


def _pack(name: str, known: dict[str, Pack], root: Path) -> Pack:
    if name in known:
        return known[name]
    if name.endswith((".yaml", ".yml")):
        return read_pack(root / name)
    near = closest(name, known, 1)
    raise ConfigError(
        f"there is no pack of probes called {name!r}",
        given=name,
        allowed=f"{', '.join(known)}, or a path that ends in .yaml",
        fix=f"did you mean {near[0]}?" if near else "",
    )


def _canary(line: str, number: int) -> Asked:
    try:
        row = json.loads(line)
        prompt, secret = row["prompt"], row["secret"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError("a line of the file of canaries cannot be used", given=f"line {number}", allowed=_FORM) from error
    if not isinstance(prompt, str) or not isinstance(secret, str) or not prompt.strip() or len(secret.strip()) < _SHORTEST:
        raise ConfigError(
            "a line of the file of canaries cannot be used",
            given=f"line {number}",
            allowed=f"two texts; a secret of {_SHORTEST} characters or more",
        )
    return Asked(f"line {number}", ((Message("user", prompt),),), (secret.strip(),))
