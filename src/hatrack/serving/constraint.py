"""Answers that must satisfy a JSON schema: at each step only tokens that can still lead there (llguidance)."""

from __future__ import annotations

import json
import threading
from functools import lru_cache
from typing import Any

import torch

from hatrack.core.errors import RequestError
from hatrack.core.extras import require

__all__ = ["Grammars"]

_KEPT = 256  # compiled schemas


class Grammars:
    """Compiles schemas for one tokenizer; a schema that was compiled is kept."""

    def __init__(self, tokenizer: Any, vocabulary: int) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._wrapped: Any = None
        self._compile = lru_cache(_KEPT)(self._grammar)

    def constraint(self, schema: dict[str, Any] | str) -> _SchemaConstraint:
        """A fresh constraint for one answer.

        Raises:
            RequestError: the schema cannot be enforced.
        """
        llguidance = _llguidance()
        text = json.dumps({"type": "object"} if isinstance(schema, str) else schema, sort_keys=True)
        with self._lock:
            if self._wrapped is None:
                hf = require("llguidance.hf", extra="serve", reason="a schema for answers")
                self._wrapped = hf.from_tokenizer(self._tokenizer, n_vocab=self._vocabulary)
        matcher = llguidance.LLMatcher(self._wrapped, self._compile(text))
        if matcher.is_error():
            raise _refused(matcher.get_error())
        return _SchemaConstraint(matcher, self._vocabulary)

    def _grammar(self, schema: str) -> Any:
        try:
            return _llguidance().LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": False})
        except (ValueError, TypeError) as error:
            raise _refused(str(error)) from error


class _SchemaConstraint:
    """One answer on its way through a grammar."""

    def __init__(self, matcher: Any, vocabulary: int) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        torch_side = require("llguidance.torch", extra="serve", reason="a schema for answers")
        self._fill = torch_side.fill_next_token_bitmask
        self._bits = torch_side.allocate_token_bitmask(1, vocabulary)

    def allowed(self) -> torch.Tensor:
        """A boolean mask ``[vocabulary]``; where the answer is whole, only its end is left."""
        self._fill(self._matcher, self._bits, 0)
        words = self._bits[0]
        bits = (words[:, None] >> torch.arange(32, dtype=torch.int32)) & 1
        mask: torch.Tensor = bits.flatten()[: self._vocabulary].bool()
        return mask

    def accept(self, token: int) -> None:
        """A token was chosen."""
        self._matcher.consume_token(token)


def _llguidance() -> Any:
    return require("llguidance", extra="serve", reason="a schema for answers")


def _refused(reason: str) -> RequestError:
    return RequestError(
        "this JSON schema cannot be enforced",
        given=reason.splitlines()[0][:300],
        allowed="a JSON schema (draft 2020-12) that llguidance knows",
        fix="leave the keyword out, or check the answer afterwards",
    )
