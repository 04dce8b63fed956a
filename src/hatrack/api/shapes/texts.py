"""Bodies about given texts: embeddings and labels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from hatrack.api.errors import Refusal
from hatrack.api.shapes.base import Shape

__all__ = ["ClassifyBody", "EmbeddingBody", "TextsBody"]

_MOST_TEXTS = 2048
# For the document: token ids are read as well, to be refused with the reason.
_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": _MOST_TEXTS}]}
Texts = Annotated[str | list[str] | list[int] | list[list[int]], WithJsonSchema(_TEXTS)]


class TextsBody(Shape):
    """A body with one text or many."""

    input: Texts = Field(description=f"One text, or up to {_MOST_TEXTS}.")

    @property
    def texts(self) -> list[str]:
        """The texts.

        Raises:
            Refusal: none, an empty one, too many, or token ids, which would be those of another tokenizer.
        """
        given = [self.input] if isinstance(self.input, str) else self.input
        texts = [text for text in given if isinstance(text, str)]
        if len(texts) < len(given):
            raise Refusal(
                400,
                "token ids are not taken here: they would be those of another tokenizer",
                code="invalid_request",
                param="input",
                allowed="texts",
                fix="send text; in langchain-openai set check_embedding_ctx_length=False",
            )
        if not 0 < len(texts) <= _MOST_TEXTS or not all(texts):
            raise Refusal(
                400,
                "these texts cannot be used",
                code="invalid_request",
                param="input",
                given=f"{len(texts)} texts, {sum(not text for text in texts)} of them empty",
                allowed=f"1 to {_MOST_TEXTS} texts, none of them empty",
            )
        return texts


class EmbeddingBody(TextsBody):
    """POST /v1/embeddings."""

    encoding_format: Literal["float", "base64"] | None = Field(None, description="Numbers, or base64 of little-endian float32.")


class ClassifyBody(TextsBody):
    """POST /v1/classify. Not OpenAI's."""
