"""The documents under tests/data/fixtures, written for the tests, in the form that readers of documents give."""

from __future__ import annotations

import json
from pathlib import Path

from hatrack.data.records import RawRow

FOLDER = Path(__file__).resolve().parent / "data" / "fixtures" / "documents"


def sample_documents() -> list[RawRow]:
    """A contract and a leaflet in English, a tax note in French; the text is the headings and the sections in order."""
    rows = []
    for number, path in enumerate(sorted(FOLDER.glob("*.json")), 1):
        columns = json.loads(path.read_text(encoding="utf-8"))
        parts = [part for section in columns["sections"] for part in (section["heading"], section["text"]) if part]
        rows.append(RawRow(number, {**columns, "text": "\n\n".join(parts)}))
    return rows


def document_row(text: str, title: str = "Handbook", source: str = "handbook.md", **sections: str) -> RawRow:
    """One document; the keywords are headings (with _ for a space) and their texts, without any the text is one section."""
    parts = [{"heading": name.replace("_", " "), "level": 1, "text": below} for name, below in sections.items()]
    return RawRow(1, {"title": title, "text": text, "source": source, "sections": parts})
