"""Rule ``whitespace``: one space between words, none at the end of a line, at most one blank line. Code stays as it is."""

from __future__ import annotations

import re

from hatrack.data.clean.fences import fenced

__all__ = ["fold_whitespace"]

_SPACE = " \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_UNTIDY = re.compile(f"[{_SPACE}]{{2}}|[{_SPACE}](?:\n|$)|^[{_SPACE}\n]|\n\n\n|\n$")
_RUN = re.compile(f"[{_SPACE}]{{2,}}")
_STRIP = " \t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"


def fold_whitespace(text: str) -> str:
    """Fold runs, strip the ends of lines, drop surplus blank lines.

    Fenced code is not touched at all, an indented line only at its end: it may be code, a list or a table. A single
    no-break space stays, French punctuation needs it.
    """
    if not _UNTIDY.search(text):
        return text
    lines = text.split("\n")
    code = fenced(lines)
    folded: list[str] = []
    for line, kept in zip(lines, code, strict=True):
        tidy = line if kept else _line(line)
        if tidy or kept or (folded and folded[-1]):
            folded.append(tidy)
    while folded and not folded[-1] and not code[-1]:
        folded.pop()
    if len(folded) == 1 and not any(code):  # one line that is no code: its indentation means nothing
        return _line(folded[0].lstrip(_STRIP))
    return "\n".join(folded)


def _line(line: str) -> str:
    line = line.rstrip(_STRIP)
    if line[:1] in _STRIP:
        return line
    return _RUN.sub(lambda run: "\t" if "\t" in run.group() else " ", line)
