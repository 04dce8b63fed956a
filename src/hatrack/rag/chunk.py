"""Documents to chunks: as large as fits, cut at the largest unit that does (section, paragraph, sentence, word).

document ─► parts by heading ─► passages (parent_tokens) ─► chunks (tokens)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hatrack.core.config_knowledge import ChunkSettings
from hatrack.core.errors import ConfigError
from hatrack.core.extras import require
from hatrack.rag.records import Chunk, Document, Part

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Chunker"]

_CHARACTERS = 4  # of a token, where the tokenizer is elsewhere
_LONGEST_HEAD = 200  # characters of title and headings before a chunk
_SPECIAL = 2  # tokens that an encoder puts around a text
Split = Callable[[str], list[str]]


class Chunker:
    """Cuts documents by one set of rules.

    Args:
        tokenizer: counts tokens; None: four characters are one.
        max_tokens: what the embedder reads.

    Raises:
        ConfigError: chunks would be longer than the embedder reads.
        MissingExtra: the splitter is not installed.
    """

    def __init__(self, settings: ChunkSettings, tokenizer: Tokenizer | None, max_tokens: int) -> None:
        self._settings = settings
        self._tokenizer = tokenizer
        self._size = settings.tokens or max_tokens - _SPECIAL
        if self._size > max_tokens and settings.by != "whole":
            raise ConfigError(
                "the chunks are longer than the embedder reads",
                given=f"knowledge.chunks.tokens: {self._size}",
                allowed=f"at most {max_tokens}",
                fix="make chunks smaller, and let parent_tokens say how much is read around them",
            )
        if settings.parent_tokens and settings.parent_tokens <= self._size:
            raise ConfigError(
                "knowledge.chunks.parent_tokens must be larger than a chunk",
                given=str(settings.parent_tokens),
                allowed=f"more than {self._size}",
            )
        self._parents = self._splitter(settings.parent_tokens, 0) if settings.parent_tokens else None

    def cut(self, document: Document) -> tuple[tuple[Chunk, ...], tuple[str, ...]]:
        """The chunks of a document, and the passages that some of them lie in."""
        if self._settings.by == "whole":
            text = "\n\n".join(part for one in document.parts for part in (one.heading, one.text) if part)
            return (Chunk(self._head(document.title, ()), text),), ()
        chunks: list[Chunk] = []
        passages: list[str] = []
        for headings, part in self._parts(document):
            head = self._head(document.title, headings)
            split = self._splitter(max(16, self._size - self._count(head)), self._settings.overlap)
            if self._parents is None:
                chunks += [Chunk(head, text) for text in self._cut(part.text, split)]
                continue
            for passage in self._parents(part.text):
                chunks += [Chunk(head, text, len(passages)) for text in self._cut(passage, split)]
                passages.append(passage)
        return tuple(chunks), tuple(passages)

    def _parts(self, document: Document) -> Iterator[tuple[tuple[str, ...], Part]]:
        """Parts with the headings above them; one part for all where headings do not count."""
        if self._settings.by == "text":
            text = "\n\n".join(part for one in document.parts for part in (one.heading, one.text) if part)
            yield (), Part("", 0, text)
            return
        above: list[tuple[int, str]] = []
        for part in document.parts:
            above = [(level, heading) for level, heading in above if level < part.level]
            if part.heading:
                above.append((part.level, part.heading))
            if part.text:
                yield tuple(heading for _, heading in above), part

    def _cut(self, text: str, split: Split) -> list[str]:
        if self._settings.by != "rows":
            return split(text)
        return _rows(text, self._size, self._count, split)

    def _head(self, title: str, headings: Sequence[str]) -> str:
        if not self._settings.context:
            return ""
        known = [title] if title else []
        known += [heading for heading in headings if heading.strip() != title.strip()]
        return " > ".join(known)[:_LONGEST_HEAD]

    def _count(self, text: str) -> int:
        if not text:
            return 0
        if self._tokenizer is None:
            return -(-len(text) // _CHARACTERS)
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _splitter(self, tokens: int, overlap: int) -> Split:
        made: Any = require("semantic_text_splitter", extra="knowledge", reason="cutting documents").TextSplitter
        overlap = min(overlap, tokens - 1)
        if self._tokenizer is None:
            return made(tokens * _CHARACTERS, overlap=overlap * _CHARACTERS).chunks  # type: ignore[no-any-return]  # a compiled module
        return made.from_huggingface_tokenizer(self._tokenizer, tokens, overlap=overlap).chunks  # type: ignore[no-any-return]


def _rows(text: str, size: int, count: Callable[[str], int], split: Split) -> list[str]:
    """Whole lines in chunks of at most ``size`` tokens; the first line, a table's head, is repeated in each."""
    first, *lines = [line for line in text.split("\n") if line.strip()] or [""]
    head = count(first)
    if not lines or head > size // 2:
        return split(text)
    chunks: list[str] = []
    held, used = [first], head
    for line in lines:
        needed = count(line) + 1
        if used + needed > size and len(held) > 1:
            chunks.append("\n".join(held))
            held, used = [first], head
        if head + needed > size:  # one line alone is too long
            chunks += split(line)
            continue
        held.append(line)
        used += needed
    return [*chunks, "\n".join(held)] if len(held) > 1 else chunks
