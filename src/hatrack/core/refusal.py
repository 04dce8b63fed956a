"""What every refusal says: what cannot be done, what was given, what is allowed, what to do next."""

from __future__ import annotations

__all__ = ["HatrackError"]


class HatrackError(Exception):
    """A refusal a user can act on.

    Args:
        what: one sentence: what cannot be done.
        given: what was found, as the user would recognise it.
        allowed: what would have been accepted.
        fix: what to do next, if possible a command.
    """

    def __init__(self, what: str, *, given: str = "", allowed: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.given = given
        self.allowed = allowed
        self.fix = fix

    def __str__(self) -> str:
        parts = [self.what]
        for label, value in (("given", self.given), ("allowed", self.allowed), ("do", self.fix)):
            if value:
                parts.append(f"  {label + ':':<9}{value}")
        return "\n".join(parts)
