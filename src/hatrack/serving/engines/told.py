"""Text as a server tells it, where it does not name every token: cut at stop strings like text made here."""

from __future__ import annotations

from hatrack.serving.engines.backend import UNKNOWN
from hatrack.serving.text_stream import TextStream

__all__ = ["HeardText"]


class HeardText(TextStream):
    """The text of a token is what was heard of it; where nothing was, it is made from the token."""

    _heard: str | None = None

    def hear(self, text: str) -> None:
        """Text of the next token, and of those before it whose text was not decided then."""
        self._heard = text

    def token(self, token: int) -> str:
        """See ``TextStream``."""
        if self._heard is None:
            return "" if token == UNKNOWN else super().token(token)
        self._held += self._heard
        self._heard = None
        return self._certain()
