"""Markdown: sections by their headings; the text keeps its marks, which models read as well as people do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hatrack.data.readers.base import too_long
from hatrack.data.readers.documents import BLANK, Sections, document_row, whole_text
from hatrack.data.records import RawRow, RowFault

__all__ = ["Markdown"]

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|$)")
_CLOSING = re.compile(r"(?:^|[ \t])#+[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_TITLE = re.compile(r"title:[ \t]*(.+)$")


class Markdown:
    """Reads CommonMark as far as sections go: headings with # or underlined, code fences, front matter."""

    suffixes = (".md", ".markdown")
    document = True
    magic = b""

    def sniff(self, head: bytes) -> str:
        return ""

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        text = whole_text(stream, path, max_row_bytes)
        if text is None:
            yield too_long(1, max_row_bytes)
        elif text.strip():
            title, body = _front_matter(_without_comments(text).split("\n"))
            sections = _sections(body, max_row_bytes)
            first = next((section.heading for section in sections.all if section.level == 1), "")
            yield document_row(path, title or first, sections.all, max_row_bytes)


def _without_comments(text: str) -> str:
    parts = text.split("<!--")
    kept = [parts[0]]
    for part in parts[1:]:
        comment, end, after = part.partition("-->")
        kept.append(after if end else "<!--" + comment)
    return "".join(kept)


def _front_matter(lines: list[str]) -> tuple[str, list[str]]:
    """The title in a block between two ``---`` at the very beginning, and the lines behind it."""
    if lines[0].rstrip() != "---":
        return "", lines
    end = next((i for i, line in enumerate(lines[1:200], 1) if line.rstrip() in ("---", "...")), 0)
    titles = [found.group(1).strip(" \t\"'") for line in lines[1:end] if (found := _TITLE.match(line))]
    return (titles[0] if titles else ""), lines[end + 1 :] if end else lines


def _sections(lines: list[str], limit: int) -> Sections:
    sections = Sections(limit)
    block: list[str] = []
    fence = ""

    def end_block() -> None:
        sections.block("\n".join(block).strip("\n"))
        block.clear()

    for line in lines:
        mark = _FENCE.match(line)
        if fence or mark:
            if not fence:
                end_block()
            fence = _after(line, mark, fence)
            block.append(line)
            if not fence:
                end_block()
        elif found := _HEADING.match(line):
            end_block()
            sections.heading(_CLOSING.sub("", line[found.end() :]).strip(BLANK), len(found.group(1)))
        elif len(block) == 1 and block[0].strip() and (found := _UNDERLINE.match(line)) and not block[0].startswith(("-", "|", ">")):
            sections.heading(block.pop().strip(BLANK), 1 if found.group(1)[0] == "=" else 2)
        elif line.strip(BLANK):
            block.append(line.rstrip(BLANK))
        else:
            end_block()
    end_block()
    return sections


def _after(line: str, mark: re.Match[str] | None, fence: str) -> str:
    """The fence that is open behind this line."""
    if not fence:
        return mark.group(1) if mark else ""
    closes = mark is not None and mark.group(1).startswith(fence) and not line[mark.end() :].strip()
    return "" if closes else fence
