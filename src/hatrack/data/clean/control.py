r"""Rule ``control``: characters that are not seen, or that make a line look like another one.

Removed: C0 and C1 controls but tab and line feed, terminal colours, zero-width spaces, byte order marks, soft hyphens,
tag characters, all bidirectional embeddings, overrides and isolates (Boucher and Anderson 2021, "Trojan Source").
Every other line break (CR, CR LF, VT, FF, NEL, U+2028, U+2029) becomes a line feed: a reader sees a new line there.

Kept, because writing needs them: joiners inside scripts and emoji that join, zero-width spaces in scripts without
spaces, direction marks in a text with right-to-left letters, one variation selector after a character, flags.
"""

from __future__ import annotations

import re

__all__ = ["remove_control"]

_LINE_BREAK = re.compile("\r\n|[\r\v\f\x1c-\x1f\x85\u2028\u2029]")
# CSI (colours, cursor) and OSC (titles, links) of ECMA-48; the escape character alone would leave their text behind
_TERMINAL = re.compile("\x1b\\[[0-?]{0,64}[ -/]{0,8}[@-~]|\x1b\\][^\x07\x1b\n]{0,1000}(?:\x07|\x1b\\\\)")

# a soft hyphen at the end of a printed line: the word goes on behind the break
_HYPHENATED = re.compile("(?<=[^\\W\\d_])\u00ad[ \n](?=[a-zß-öø-ÿ])")

_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_FORMAT = "\u00ad\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb"
_BIDI = "\u202a-\u202e\u2066-\u2069"
_MARKS = "\u061c\u200e\u200f"
_TAGS = "\U000e0000-\U000e007f"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_NONCHARACTERS = "\ufdd0-\ufdef\ufffe\uffff"

_SUSPECT = re.compile(f"[{_CONTROL}{_FORMAT}{_BIDI}{_MARKS}{_TAGS}{_NONCHARACTERS}\u200b-\u200d\u2028\u2029]|[{_SELECTORS}]{{2}}")
_ALWAYS = re.compile(f"[{_CONTROL}{_FORMAT}{_BIDI}{_NONCHARACTERS}]")

_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf"  # Thai, Lao, Burmese, Khmer, Tai
_JOINING = "\u0600-\u0dff\u0f00-\u109f\u1780-\u1cff\ua800-\uabff\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
_EMOJI = "\u20e3\u2190-\u2bff\u3030\u303d\ufe0f\U0001f000-\U0001faff"
_STRAY = re.compile(f"(?<![{_SPACELESS}])\u200b|(?<![{_JOINING}])\u200c|(?<![{_JOINING}{_EMOJI}])\u200d")

_DIRECTION = re.compile(f"[{_MARKS}]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
_TAG_RUN = re.compile(f"(\U0001f3f4[\U000e0020-\U000e007e]{{1,6}}\U000e007f)|[{_TAGS}]+")
_SELECTOR_RUN = re.compile(f"([{_SELECTORS}])[{_SELECTORS}]+")


def remove_control(text: str) -> str:
    """Text as it is seen, and nothing besides."""
    if (text.isascii() and text.isprintable()) or not _SUSPECT.search(text):
        return text
    text = _LINE_BREAK.sub("\n", _TERMINAL.sub("", text))
    text = _ALWAYS.sub("", _HYPHENATED.sub("", text))
    if text.isascii():
        return text
    text = _TAG_RUN.sub(lambda match: match.group(1) or "", text)
    text = _SELECTOR_RUN.sub(r"\1", text)
    text = _STRAY.sub("", text)
    return text if _RIGHT_TO_LEFT.search(text) else _DIRECTION.sub("", text)
