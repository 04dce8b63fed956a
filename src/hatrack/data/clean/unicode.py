"""Rule ``unicode``: mojibake becomes the text it was, and the rest its composed form (NFC)."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftfy import TextFixerConfig

__all__ = ["repair_unicode"]

# Two entities or more in a row: UTF-8 that was read as Latin-1 and then escaped, such as caf&Atilde;&copy;
_ENTITIES = re.compile(r"(?:&#?[0-9A-Za-z]{1,24};){2,}")
_SURROGATES = re.compile("[\ud800-\udfff]")
# Typesetters' ligatures, as PDF files give them. Letters that merely look joined (ij, œ, æ) are letters.
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_LIGATURE = re.compile("[\ufb00-\ufb06]")


def repair_unicode(text: str) -> str:
    """Undo mojibake line by line, as ftfy detects it; then normalise to NFC.

    Quotes stay curly, wide characters wide, entities escaped: only an entity that hides mojibake is resolved. A piece
    that cannot be repaired stays as it is; nothing becomes a replacement character but half of a surrogate pair.
    """
    if "&" in text:
        text = _ENTITIES.sub(_hidden_mojibake, text)
    if text.isascii():
        return text
    if _SURROGATES.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = "\n".join(line if line.isascii() else _decoded(line) for line in text.split("\n"))
    if _LIGATURE.search(text):
        text = text.translate(_LIGATURES)
    return unicodedata.normalize("NFC", text)


def _decoded(line: str) -> str:
    import ftfy

    return ftfy.fix_encoding(line, _settings())


@cache
def _settings() -> TextFixerConfig:
    from ftfy import TextFixerConfig

    # a lossy sequence would become U+FFFD, and what is still readable of it would be gone
    return TextFixerConfig(replace_lossy_sequences=False, explain=False)


def _hidden_mojibake(match: re.Match[str]) -> str:
    plain = html.unescape(match.group())
    decoded = _decoded(plain)
    return match.group() if decoded == plain else decoded
