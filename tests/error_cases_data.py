"""The faults of preparing data for docs/errors.md: formats, cleaning, personal data, documents, what prepare writes."""

from __future__ import annotations

from pathlib import Path

import error_cases  # noqa: F401  # its cases come first on the page
from conftest import label_rows
from error_place import Place, fault

__all__: list[str] = []

ROWS = label_rows()
SENTENCE = "the red lamp of the old captain stood on the third shelf behind the blue door of the house by the sea"
NEARLY = [{**ROWS[0], "text": SENTENCE}, *ROWS[1:]]
PAIRS = [{"prompt": f"what is {i}?", "chosen": f"it is {i}", "rejected": f"who knows {i}"} for i in range(40)]
NOTE = "# Loans\n\n## How long is a loan?\n\nA loan lasts for three weeks. It ends on the day that is printed on the slip.\n"


def _file(at: Place, name: str, content: bytes) -> None:
    root = at.project(data=name)
    (root / name).write_bytes(content)


def _tested(at: Place) -> None:
    root = at.project(NEARLY, data={"train": "data.jsonl", "test": "test.jsonl"})
    (root / "test.jsonl").write_text(f'{{"id": "t", "text": "{SENTENCE} again", "label": "red"}}\n')


def _documents(at: Place, **documents: object) -> None:
    root = at.project(task="instruct", data="notes", prepare={"documents": documents})
    (root / "notes").mkdir()
    (root / "notes" / "loans.md").write_text(NOTE)


def _locked(at: Place) -> None:
    from pypdf import PdfWriter

    root = at.project(task="complete", data="notes.pdf")
    writer = PdfWriter()
    writer.add_blank_page(width=72, height=72)
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(root / "notes.pdf")


def _mixed(at: Place) -> None:
    root = at.project(task="instruct", data="notes")
    (root / "notes").mkdir()
    (root / "notes" / "loans.md").write_text(NOTE)
    (root / "notes" / "rows.csv").write_text("text,label\na,b\n")


def _taken(at: Place) -> Path:
    folder = at.project() / "prepared" / "first"
    folder.mkdir(parents=True)
    return folder / "thesis.txt"


# formats
fault("a CSV file that is a spreadsheet", "check", lambda at: _file(at, "data.csv", b"PK\x03\x04" + b"\0" * 60), "data.csv", "zip archive")
fault("an unknown format", "check", lambda at: at.project(data={"train": "data.jsonl", "format": "jsnl"}), "did you mean jsonl?")
fault("an unknown layout", "check", lambda at: at.project(data={"train": "data.jsonl", "layout": "alpca"}), "did you mean alpaca?")
fault("a PDF with a password", "check", _locked, "password")
fault("a folder of documents and tables", "check", _mixed, "loans.md", "rows.csv")
# cleaning and personal data
fault("an unknown country", "check", lambda at: at.project(prepare={"pii": {"countries": ["US", "XX"]}}), "XX", "US")
fault("an unknown type of personal data", "check", lambda at: at.project(prepare={"pii": {"types": ["EMAIL"]}}), "EMAIL_ADDRESS")
fault("every row is left out", "check", lambda at: at.project(prepare={"clean": {"min_characters": 5000}}), "0 rows", "at least 10")
# duplicates
fault("test rows that were nearly trained on", "check", _tested, "train row 1 ~ test row 1", "Jaccard", "leaks: drop")
# documents
fault("questions without a model to write them", "check", lambda at: _documents(at, kinds=["qa"]), "qa", "prepare")
fault("documents in which nothing can be asked", "check", lambda at: _documents(at, kinds=["cloze"]), "no training row", "cloze")
# what prepare writes
fault("an unknown form of export", "prepare --to opnai", lambda at: at.project(), "did you mean openai?")
fault("too few rows for hosted fine-tuning", "prepare --to openai", lambda at: at.project(label_rows(30)), "at least 10")
fault("prepare would replace other things", "prepare", lambda at: _taken(at).write_text("years"), "prepared/first", "--out")
# training
fault(
    "a preference without a reference", "train", lambda at: at.project(PAIRS, task="prefer", method="pissa"), "prefer", "set method: lora"
)

# one more adapter in a project
fault(
    "init --add of an adapter that is there",
    "init PROJECT/data.jsonl --add --name first",
    lambda at: at.project(),
    "first already",
    "--name",
)
fault(
    "init --add where comments would be lost",
    "init PROJECT/data.jsonl --add --name second",
    lambda at: at.project() and (at.root / "hatrack.yaml").open("a").write("# chosen in May\n"),
    "has comments",
    "below `adapters:`",
)
