"""Names of adapters and versions. A name resolves through the registry only and never becomes a path (F31)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from hatrack.core.errors import AdapterNotFound

__all__ = ["AUTO", "BASE", "NAME_RULE", "closest", "split_reference", "valid_name"]

BASE = "base"
AUTO = "auto"  # in a request: whoever routing chooses
NAME_RULE = "[a-z0-9][a-z0-9._-]*"
_NAME = re.compile(NAME_RULE)


def valid_name(name: str) -> bool:
    """Whether ``name`` may name an adapter: lower case, digits, dot, underscore, dash; at most 64 characters."""
    return len(name) <= 64 and _NAME.fullmatch(name) is not None


def split_reference(reference: str) -> tuple[str, str]:
    """``legal@1.2.0`` to ``("legal", "1.2.0")``; without ``@`` the version part is empty.

    Raises:
        AdapterNotFound: the text cannot be the name of any adapter.
    """
    name, _, version = reference.partition("@")
    if not valid_name(name) or (version and not valid_name(version.lower())):
        raise AdapterNotFound(
            "this cannot be the name of an adapter", given=repr(reference), allowed=f"NAME or NAME@VERSION, NAME as {NAME_RULE}"
        )
    return name, version


def closest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names nearest to ``word``, best first: for "did you mean"."""
    return difflib.get_close_matches(word, list(known), n=count, cutoff=0.5)
