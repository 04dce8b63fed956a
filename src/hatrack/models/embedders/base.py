"""Embedders turn questions and passages into vectors whose inner product says how near they are in meaning.

bundled/all-minilm-l6-v2      an encoder: bundled/NAME, a hub id, a path
llm:bundled/smollm2-135m-...  the pooled hidden states of a language model
openai:MODEL@URL              an endpoint that speaks OpenAI's protocol
hashing:256                   words hashed into 256 places; needs no model
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from hatrack.core.errors import ConfigError
from hatrack.core.plugins import Plugins

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["EMBEDDERS", "Embedder", "EmbedderSpec", "Vectors", "open_embedder"]

Vectors = NDArray[np.float32]
ENCODER = "encoder"  # the kind of a spec that names none


@dataclass(frozen=True)
class EmbedderSpec:
    """What to open.

    Attributes:
        rest: what stands behind ``KIND:``.
        query_prefix, passage_prefix: texts that go first; None: what the model's own files say.
        precision: ``fp32`` or ``int8``.
    """

    rest: str
    query_prefix: str | None = None
    passage_prefix: str | None = None
    precision: str = "fp32"


class Embedder(Protocol):
    """One way to embed. Safe to be called by several threads.

    Attributes:
        max_tokens: what of a text is read; the rest is cut.
        tokenizer: counts the tokens of chunks; None where it is elsewhere, then four characters count as one.
    """

    max_tokens: int
    tokenizer: Tokenizer | None

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same text would get another vector."""
        ...

    @property
    def family(self) -> str:
        """The fingerprint in full precision: embedders of one family give nearly the same vectors, and how near can be measured."""
        ...

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length one, ``[texts, d]``.

        Raises:
            ModelError: the model cannot be had. ProviderError: the endpoint refuses or does not answer.
        """
        ...

    def queries(self, texts: Sequence[str]) -> Vectors:
        """As ``passages``, of what is asked."""
        ...


EMBEDDERS: Plugins[Callable[[EmbedderSpec], Embedder]] = Plugins(
    "embedder",
    {
        "encoder": "hatrack.models.embedders.encoder:EncoderEmbedder",
        "hashing": "hatrack.models.embedders.hashing:HashingEmbedder",
        "llm": "hatrack.models.embedders.llm:PooledEmbedder",
        "openai": "hatrack.models.embedders.openai:OpenAIEmbedder",
    },
)


def open_embedder(
    text: str,
    local: Callable[[str], str] = str,
    *,
    query_prefix: str | None = None,
    passage_prefix: str | None = None,
    precision: str = "fp32",
) -> Embedder:
    """The embedder that a config names. Nothing heavy is loaded before the first text.

    Args:
        local: turns a path of the project into one that can be opened from here.

    Raises:
        ConfigError: no such kind, or one that has no 8 bits. ModelError: no such model.
    """
    kind, colon, rest = text.partition(":")
    if not colon or not kind.isidentifier() or len(kind) == 1:  # C:\models is a path
        kind, rest = ENCODER, text
    made = EMBEDDERS.get(kind)
    if precision != "fp32" and kind != ENCODER:
        raise ConfigError(
            "only an encoder can compute its vectors in 8 bits",
            given=f"{text} with precision {precision}",
            allowed="an encoder: bundled/NAME, a hub id, a path",
            fix="take knowledge.precision out of hatrack.yaml",
        )
    return made(EmbedderSpec(local(rest) if kind in (ENCODER, "llm") else rest, query_prefix, passage_prefix, precision))
