"""Faults of comparing, scoring and advising, for the catalogue behind docs/errors.md."""

from __future__ import annotations

from typing import Any

from conftest import label_rows, write_jsonl
from error_place import CASES, Place, fault

__all__ = ["CASES"]

_RIGHT = [{"id": f"q{i}", "prediction": "yes", "expected": "yes"} for i in range(20)]
_FILES = {
    "answers": _RIGHT,
    "twice": [*_RIGHT, _RIGHT[3]],
    "missing": [*_RIGHT, {"id": "q20", "prediction": None, "expected": "no"}],
    "fewer": _RIGHT[2:],
    "unsure": [{**row, "confidence": 93} for row in _RIGHT],
}


def _files(at: Place) -> None:
    """All files of predictions, in the folder that ``PROJECT`` stands for."""
    at.root = at.tmp / "project"
    for name, rows in _FILES.items():
        write_jsonl(at.root / f"{name}.jsonl", rows)
    (at.root / "empty.jsonl").write_text("")
    (at.root / "mine.py").write_text("import nothing_like_this\n")


def score(title: str, command: str, *says: str) -> None:
    fault(title, f"score {command}", _files, *says, inside=False)


score("a file of predictions that is empty", "PROJECT/empty.jsonl", "holds no rows")
score("an id that two predictions have", "PROJECT/twice.jsonl", "more than one row", "q3")
score("a row without a prediction", "PROJECT/missing.jsonl", "row 21: no prediction")
score("predictions for some of the rows alone", "PROJECT/fewer.jsonl --gold PROJECT/answers.jsonl", "no prediction for id q0")
score("a column of predictions that is not there", "PROJECT/answers.jsonl --prediction predicton", "did you mean prediction?")
score("two systems that answered different rows", "PROJECT/answers.jsonl --against PROJECT/fewer.jsonl", "2 only in answers.jsonl")
score("a page of one system alone", "PROJECT/answers.jsonl --page PROJECT/page.html", "--against")
score("a metric that is not there", "PROJECT/answers.jsonl --metric acuracy", "did you mean accuracy?")
score("a metric that does not apply to the answers", "PROJECT/answers.jsonl --metric rouge_l", "does not apply")
score("metrics of one's own that cannot be run", "PROJECT/answers.jsonl --metric-file PROJECT/mine.py", "ModuleNotFoundError")
score("a pattern that is no regular expression", "PROJECT/answers.jsonl --pattern (", "--pattern")
score("an expected answer that is none of the labels", "PROJECT/answers.jsonl --labels no,maybe", "given:   yes")
score("a slice by a column that is not there", "PROJECT/answers.jsonl --by contry", "label, length")
score("a confidence that is no share", "PROJECT/unsure.jsonl", "q0: 93")


def _one_class(at: Place) -> None:
    at.project([{**row, "label": "red"} for row in label_rows()])


def _compare(at: Place, **keys: Any) -> None:
    at.project(**keys)
    config = at.root / "hatrack.yaml"
    config.write_text(config.read_text() + f"compare: {{embedder: {at.encoder}}}\n")


def _texts(at: Place) -> None:
    _compare(at, rows=[{"text": f"the red river {i}"} for i in range(40)], task="complete")


fault("an approach that is not there", "compare --only majorty", _compare, "did you mean majority?")
fault("comparing approaches to data of one class", "compare", _one_class, "at least two")
fault("comparing approaches to a task without answers", "compare", _texts, "task complete has none")
fault(
    "comparing approaches none of which applies",
    "compare --only zero-shot,hosted",
    _compare,
    "no approach was measured",
    "generates no text",
)
fault("an option of compare with a value that cannot be", "compare --minutes -1", _compare, "--minutes", "greater than 0")
fault("a server without a model's name", "eval http://127.0.0.1:9/v1", lambda at: at.trained(), "URL#MODEL")
fault("a server's address that shows the rows to everyone", "eval http://example.org/v1#auto", lambda at: at.trained(), "https is needed")
fault("an encoder that is to answer alone", "eval words --against base", lambda at: at.trained(), "an encoder alone gives no answers")
fault("advice without a word about the task", "advise", lambda at: None, "--task is not given", inside=False)
fault("advice on labels whose number is not said", "advise --task labels --rows 20", lambda at: None, "--labels", inside=False)
