"""The tokenizer that chunks are measured with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hatrack.models.loading import BaseModelFiles

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["measuring_tokenizer"]


def measuring_tokenizer(files: BaseModelFiles) -> Tokenizer:
    """A copy of a model's tokenizer that neither cuts nor pads."""
    from tokenizers import Tokenizer

    tokenizer: Any = files.tokenizer
    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy
