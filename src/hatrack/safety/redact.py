"""What becomes of personal data: count it, mask it, put stand-ins in its place, or drop the document."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from hatrack.core.config_prepare import PiiPolicy
from hatrack.core.errors import ConfigError
from hatrack.core.names import closest
from hatrack.safety.recognisers.base import RECOGNISERS, Finding, Recogniser
from hatrack.safety.recognisers.packs.base import PACKS
from hatrack.safety.stand_ins import PLACEHOLDER, STAND_IN, StandIns

__all__ = ["Change", "Redacted", "Redactor", "hidden"]

ROUNDS = 8  # of finding what is near only because something else has gone; two are enough in practice
DOCUMENTS = 64  # whose stand-ins are remembered; rows are made from 16 documents at a time
BLANK = "\N{OBJECT REPLACEMENT CHARACTER}"  # neither letter, digit nor space: nothing is found in it
ALSO_CALLED = {"DEU": "DE", "FRA": "FR", "GBR": "GB", "IND": "IN", "UK": "GB", "USA": "US"}


@dataclass(frozen=True)
class Redacted:
    """A document after redaction. Its ``repr`` shows no text.

    Attributes:
        texts: the fields, in the order given; unchanged with ``off``, ``report`` and ``drop``.
        findings: what was found in each of them; offsets count in the text that was given.
        dropped: whether the document must not be used.
    """

    texts: tuple[str, ...] = field(repr=False)
    findings: tuple[tuple[Finding, ...], ...]
    dropped: bool = False


@dataclass(frozen=True)
class Change:
    """One line of a preview: safe to print, log and store.

    Attributes:
        text: which of the texts, from 0.
        type: what was found.
        country: of which country, if of one.
        score: how sure, 0 to 1.
        shown: first character and length of the value.
        becomes: what will stand in its place; empty where it stays or the document goes.
    """

    text: int
    type: str
    country: str | None
    score: float
    shown: str
    becomes: str


@dataclass(frozen=True)
class _Edit:
    finding: Finding
    replacement: str


class Redactor:
    """Applies one policy.

    Args:
        policy: what to look for, and what to do.
        seed: decides which names stand-ins bear.

    Raises:
        ConfigError: an unknown country, type or recogniser; all of them together.
        MissingExtra: the recogniser needs packages or a model that are not installed.
    """

    def __init__(self, policy: PiiPolicy, seed: int = 0) -> None:
        self._mode, self._seed = policy.mode, seed
        self._documents: dict[str, StandIns] = {}
        self._recogniser = None if policy.mode == "off" else _recogniser(policy)
        self._types = None if policy.types is None else frozenset(policy.types)

    def apply(self, texts: Sequence[str], document: str = "") -> Redacted:
        """Redact all fields of one row together: the same value gets the same stand-in in each of them.

        Args:
            document: rows with the same name here are of one document, and a value has one stand-in in all of them. They
                need not follow each other, but they must not be far apart: the last ``DOCUMENTS`` are remembered.
        """
        found = [self._find(text) for text in texts]
        findings = tuple(map(tuple, found))
        if not any(found) or self._mode in ("off", "report"):
            return Redacted(tuple(texts), findings)
        if self._mode == "drop":
            return Redacted(tuple(texts), findings, dropped=True)
        edits = self._edits(texts, found, document)
        return Redacted(
            tuple(_edited(text, some) for text, some in zip(texts, edits, strict=True)),
            tuple(tuple(edit.finding for edit in some) for some in edits),
        )

    def preview(self, texts: Sequence[str], n: int) -> list[Change]:
        """The first ``n`` changes that `apply` would make, without any value in clear."""
        return [piece for pieces in self.marked(texts) for piece in pieces if isinstance(piece, Change)][:n]

    def marked(self, texts: Sequence[str]) -> list[list[str | Change]]:
        """Each text in pieces: what stays, as it is, and in place of each value the change that `apply` would make."""
        found = [self._find(text) for text in texts]
        if self._mode in ("mask", "pseudonym"):
            edits = self._edits(texts, found)
        else:
            edits = [[_Edit(finding, "") for finding in some] for some in found]
        return [_pieces(number, text, some) for number, (text, some) in enumerate(zip(texts, edits, strict=True))]

    def _find(self, text: str) -> list[Finding]:
        """What is still to be redacted: neither a placeholder nor a stand-in."""
        if self._recogniser is None:
            return []
        # a placeholder's own name must not count as a word near a number, nor a stand-in as part of another one
        plain = PLACEHOLDER.sub(_blank, text)
        if self._mode == "pseudonym":
            plain = STAND_IN.sub(_blank, plain)
        return [
            finding
            for finding in self._recogniser.find(plain)
            if (self._types is None or finding.type in self._types) and BLANK not in plain[finding.start : finding.end]
        ]

    def _edits(self, texts: Sequence[str], found: list[list[Finding]], document: str = "") -> list[list[_Edit]]:
        """Edits of each text, until the recogniser finds nothing more between them."""
        stand_ins = self._stand_ins(texts, found, document) if self._mode == "pseudonym" else None
        edits: list[list[_Edit]] = [[] for _ in texts]
        for _ in range(ROUNDS):
            for some, new in zip(edits, _new_edits(stand_ins, texts, found), strict=True):
                some.extend(new)
                some.sort(key=lambda edit: edit.finding.start)
            found = [self._left(text, some) for text, some in zip(texts, edits, strict=True)]
            if not any(found):
                break
        return edits

    def _stand_ins(self, texts: Sequence[str], found: Sequence[Sequence[Finding]], document: str) -> StandIns:
        """Those of the document where it was met before, else new ones."""
        known = self._documents.pop(document, None)
        if known is None:
            known = StandIns(self._seed, _skeleton(texts, found), texts)
        else:
            known.meet(texts)
        if document:
            self._documents[document] = known
            if len(self._documents) > DOCUMENTS:
                del self._documents[next(iter(self._documents))]  # the one not met for longest
        return known

    def _left(self, text: str, edits: Sequence[_Edit]) -> list[Finding]:
        """What is found only now, in the offsets of ``text``: other words are near when a long value has become short."""
        if not edits:
            return []
        blanks = [_Edit(edit.finding, BLANK * len(edit.replacement)) for edit in edits]
        return [_given(finding, edits) for finding in self._find(_edited(text, blanks))]


def hidden(value: str) -> str:
    """A value as it may be shown: its first character and its length."""
    return f"{value[:1]}… ({len(value)} characters)"


def _recogniser(policy: PiiPolicy) -> Recogniser:
    faults = [_unknown("country", country, PACKS.names()) for country in policy.countries if country not in PACKS.names()]
    if policy.recogniser not in RECOGNISERS.names():
        faults.append(_unknown("recogniser", policy.recogniser, RECOGNISERS.names()))
    if not faults:
        made = RECOGNISERS.get(policy.recogniser)(policy.countries)
        faults = [_unknown("type", name, sorted(made.types)) for name in policy.types or () if name not in made.types]
        if not faults:
            return made
    raise ConfigError("the rules for personal data cannot be used", faults=tuple(faults), fix="correct prepare.pii in hatrack.yaml")


def _unknown(what: str, given: str, known: list[str]) -> str:
    near = [ALSO_CALLED[given.upper()]] if given.upper() in ALSO_CALLED else closest(given, known, 1) or closest(given.upper(), known, 1)
    return f"there is no {what} {given!r}; " + (f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}")


def _blank(match: re.Match[str]) -> str:
    return BLANK * len(match.group())


def _skeleton(texts: Sequence[str], found: Sequence[Sequence[Finding]]) -> str:
    """A digest of the document without its personal data."""
    digest = hashlib.sha256()
    for text, some in zip(texts, found, strict=True):
        digest.update(_edited(text, [_Edit(finding, "\0") for finding in some]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _new_edits(stand_ins: StandIns | None, texts: Sequence[str], found: Sequence[Sequence[Finding]]) -> list[list[_Edit]]:
    if stand_ins is None:
        return [[_Edit(finding, f"<{finding.type}>") for finding in some] for some in found]
    values = [(number, f, texts[number][f.start : f.end]) for number, some in enumerate(found) for f in some]
    edits: list[list[_Edit]] = [[] for _ in texts]
    # longer names first: "Anna Kovacs" decides what "Kovacs" becomes
    for number, finding, value in sorted(values, key=lambda item: -len(item[2].split())):
        edits[number].append(_Edit(finding, stand_ins.get(finding.type, value, finding.country)))
    return edits


def _pieces(number: int, text: str, edits: Sequence[_Edit]) -> list[str | Change]:
    pieces: list[str | Change] = []
    at = 0
    for edit in edits:
        f = edit.finding
        pieces += [text[at : f.start], Change(number, f.type, f.country, f.score, hidden(text[f.start : f.end]), edit.replacement)]
        at = f.end
    return [piece for piece in (*pieces, text[at:]) if piece]


def _edited(text: str, edits: Sequence[_Edit]) -> str:
    parts, at = [], 0
    for edit in edits:
        parts += [text[at : edit.finding.start], edit.replacement]
        at = edit.finding.end
    return "".join([*parts, text[at:]])


def _given(finding: Finding, edits: Sequence[_Edit]) -> Finding:
    """A finding in edited text, in the offsets of the text that was given."""
    shift = 0
    for edit in edits:
        grown = len(edit.replacement) - (edit.finding.end - edit.finding.start)
        if edit.finding.end + shift + grown <= finding.start:
            shift += grown
    return Finding(finding.type, finding.start - shift, finding.end - shift, finding.score, finding.country)
