"""The catalogue behind docs/errors.md: each case makes one fault on disk and names the command that meets it."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from conftest import label_rows, make_encoder, write_jsonl
from error_place import CASES, Place, case, fault
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from made_versions import report
from projects import copy_of, trained_by_text, write_project

__all__ = ["CASES"]


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _csv(place: Place, content: bytes) -> None:
    root = place.project(data="data.csv")
    (root / "data.csv").write_bytes(content)


def _two_files(place: Place, test: list[dict[str, Any]]) -> None:
    root = place.project(data={"train": "data.jsonl", "test": "test.jsonl"})
    write_jsonl(root / "test.jsonl", test)


def _renamed(old: str, new: str) -> list[dict[str, Any]]:
    return [{(new if key == old else key): value for key, value in row.items()} for row in label_rows()]


def _unclear(place: Place) -> None:
    root = place.project()
    (root / "hatrack.yaml").unlink()
    (root / "odd.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(20)))


def _torn(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same texts once more, with another label."""
    return [{**row, "id": f"c{i}", "label": "red" if row["label"] == "blue" else "blue"} for i, row in enumerate(rows)]


def _not_yaml(place: Place) -> None:
    (place.project() / "hatrack.yaml").write_text("base: x\nadapters: {first: [")


def _bad_name(place: Place) -> None:
    write_project(place.project(), place.encoder, {"../x": {"data": "data.jsonl", "task": "classify"}})


ROWS = label_rows()
LONG = [{**row, "text": row["text"] + " stone" * 40} for row in ROWS]
UNANSWERED = [{"messages": [{"role": "user", "content": f"hi {i}"}]} for i in range(20)]
ASKED = [{"prompt": row["text"], "response": "red"} for row in ROWS]
HUGE = {"text": "x" * 5_000_000, "label": "red"}
FRESH = [{**row, "id": f"t{i}", "text": "lamp lamp " + row["text"]} for i, row in enumerate(label_rows(12, seed=9))]

# the config
fault("no hatrack.yaml", "check", lambda at: at.project() and (at.root / "hatrack.yaml").unlink(), "hatrack init", "--project")
fault("hatrack.yaml is not YAML", "versions", _not_yaml, "not valid YAML", "line 2", real=True)
fault(
    "unknown keys",
    "train",
    lambda at: at.project(rnak=8, train={"epoch": 3}, checks={"leak": "drop"}),
    "3 faults",
    "rnak: unknown key",
    "did you mean epochs?",
    "did you mean leaks?",
)
fault("a value out of range", "check", lambda at: at.project(train={"epochs": -1}, split=[0.5, 0.1, 0.1]), "2 faults", "sum to 0.7", "-1")
fault("unknown method", "train", lambda at: at.project(method="lroa"), "there is no method called 'lroa'", "allowed: adalora")
fault("an adapter's name that cannot be one", "check", _bad_name, "'../x'", "[a-z0-9]")
# files
fault("the data file is missing", "check", lambda at: at.project(data="dat.jsonl"), "PROJECT/dat.jsonl", "did you mean data.jsonl?")
fault("the data file is empty", "check", lambda at: at.project(b""), "holds no rows", "at least ten rows")
fault("the format is not known", "check", lambda at: at.project(data="data.xlsx"), "data.xlsx", "csv, docx")
fault(
    "a CSV that is not UTF-8",
    "check",
    lambda at: _csv(at, b"text,label\n" + "caf\xe9,red\n".encode("latin-1") * 20),
    "line 2: byte 0xe9",
    "UTF-8",
)
fault("a CSV with two columns of one name", "check", lambda at: _csv(at, b"text,label,text\na,b,c\n"), "'text'", "rename one")
# rows
fault("a column is called otherwise", "check", lambda at: at.project(_renamed("text", "texts")), "id, texts, label", "{text: texts}")
fault(
    "rows that are not UTF-8",
    "check",
    lambda at: at.project(_lines(ROWS) + b'{"text": "caf\xe9", "label": "red"}\n' * 3),
    "row 61: not UTF-8: byte 0xe9",
    "rejects/first.jsonl",
)
fault(
    "a row of 5 MB",
    "check",
    lambda at: at.project(_lines(ROWS) + _lines([HUGE])),
    "row 61: longer than 1,000,000 bytes",
    "checks.max_row_bytes",
)
fault(
    "more invalid rows than allowed",
    "check",
    lambda at: at.project(_lines(ROWS) + b"{broken\n[1, 2]\n"),
    "row 61: not valid JSON",
    "row 62: a JSON object is needed",
    "3.2% of the rows",
    "checks.max_rejected",
)
fault(
    "ids that occur twice",
    "check",
    lambda at: at.project([*ROWS, {**FRESH[0], "id": "r3"}]),
    "id 'r3' is already used in row 4",
    "columns: {id: null}",
)
fault("too few rows", "check", lambda at: at.project(label_rows(6)), "6 rows", "at least 10")
fault("one label only", "check", lambda at: at.project(label_rows(30, ("red",))), "labels: red", "at least two labels")
fault(
    "one text with two labels",
    "check",
    lambda at: at.project([*ROWS, *_torn(ROWS[:12])]),
    "same text and different labels",
    "checks.max_conflicts",
)
fault(
    "test rows that were trained on",
    "check",
    lambda at: _two_files(at, [*FRESH, {**ROWS[4], "id": "t99"}]),
    "train row 5 = test row 13",
    "leaks: drop",
)
fault(
    "a label in the test rows that nobody taught",
    "check",
    lambda at: _two_files(at, [*FRESH, {"id": "t99", "text": "a purple bird", "label": "bleu"}]),
    "row 13: label 'bleu'",
    "blue, green, red",
    "did you mean 'blue'?",
)
fault(
    "rows longer than max_length (F07)",
    "check",
    lambda at: at.project(LONG, train={"max_length": 16}),
    "longer than train.max_length",
    "1.0% (checks.max_truncated)",
    "raise train.max_length",
)
fault(
    "a conversation without an answer",
    "check",
    lambda at: at.project(UNANSWERED, task="instruct"),
    "20 of 20 rows",
    "must end with an assistant turn",
)
# the base
fault("the base is not there", "train", lambda at: at.project(base=at.tmp / "nowhere"), "TMP/nowhere", "config.json")
fault("a bundled model misspelt", "train", lambda at: at.project(base="bundled/all-minilm-v6"), "bundled/all-minilm-l6-v2", "did you mean")
fault(
    "a model of the hub without a network",
    "train",
    lambda at: at.project(base="someone/some-model"),
    "someone/some-model",
    "bundled/smollm2-135m-instruct",
)
fault("what stands at base is no model", "train", lambda at: at.project(base="no such thing"), "'no such thing'", "bundled/NAME")


@case("the base's weights are cut off", "weights cannot be read", "TMP/model")
def _(at: Place) -> str:
    weights = Path(shutil.copytree(at.encoder, at.tmp / "model")) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    at.project(base=at.tmp / "model")
    return "train"


@case("the base's weights are pickled (F22)", "pytorch_model.bin", "never opened")
def _(at: Place) -> str:
    folder = Path(shutil.copytree(at.encoder, at.tmp / "model"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    at.project(base=folder)
    return "train"


# training
fault("the task does not fit the base", "train", lambda at: at.project(base=at.causal), "needs an encoder", "classify-by-text")
fault("target_modules that match nothing (F10)", "train", lambda at: at.project(target_modules=["qurey"]), "qurey", "did you mean query?")
fault("unknown adapter: train", "train frist", lambda at: at.project(), "'frist'", "did you mean first?")
fault(
    "the loss is no longer a number",
    "train",
    lambda at: at.project(rows=ASKED, task="instruct", train={"learning_rate": 1e30}),
    "the training loss became",
    "lower train.learning_rate",
)


@case("the disk is full", "the disk is full", "free some space")
def _(at: Place) -> str:
    at.project()
    at.refuse(shutil, "copyfile", errno.ENOSPC, lambda source, target, *rest: "blobs" in str(target))
    return "train"


@case("the project's folder is read-only", "read-only", "choose a project folder that can be written")
def _(at: Place) -> str:
    at.root = at.tmp / "project"
    write_jsonl(at.root / "data.jsonl", ROWS)
    at.refuse(tempfile, "mkstemp", errno.EROFS)
    return f"init {at.root / 'data.jsonl'} --base {at.encoder}"


@case("the project's folder may not be written", "may not be written", "permission")
def _(at: Place) -> str:
    at.project(_lines(ROWS) + b"{broken\n", checks={"max_rejected": 0.5})
    at.refuse(tempfile, "mkstemp", errno.EACCES)
    return "check"


# what is registered
fault("unknown adapter: ask", "ask wrods hello", lambda at: at.trained(), "'wrods'", "did you mean words?", real=True)
fault("unknown version", "ask words@1.0.1 hello", lambda at: at.trained(), "'1.0.1'", "did you mean words@1.0.0?")
fault("a path for a name (F31)", "ask ../words hello", lambda at: at.trained(), "'../words'", "NAME@VERSION")
fault("a classifier is asked to talk", "ask words hello", lambda at: at.trained(), "does not generate text", "hatrack classify words FILE")
fault("promote without an evaluation", "promote words", lambda at: at.trained(), "was never evaluated", "hatrack eval words@1.0.0")
fault("rollback with nobody to go back to", "rollback words", lambda at: at.trained(), "never promoted", "hatrack versions words")


@case("promote what did not pass", "did not pass its evaluation", "--override")
def _(at: Place) -> str:
    registry = Registry(Project(at.trained()))
    manifest = registry.resolve("words")
    registry.add_report(manifest, report(manifest, passed=False))
    return "promote words"


@case("a gate metric that does not apply", "token_f1", "accuracy, format, macro_f1", "set gate.metric")
def _(at: Place) -> str:
    at.trained()
    with (at.root / "hatrack.yaml").open("a") as stream:
        stream.write("gate: {metric: token_f1}\n")
    return "eval words"


@case("an adapter for another base (F19)", "trained on another base model", "train it again")
def _(at: Place) -> str:
    other = make_encoder(at.tmp / "other", seed=3)
    path = at.trained() / "hatrack.yaml"
    path.write_text(path.read_text().replace(str(at.encoder), str(other)))
    (at.root / "texts.txt").write_text("a red lamp\n")
    return f"classify words {at.root / 'texts.txt'}"


@case("an adapter whose file is damaged", "damaged on disk", "restore")
def _(at: Place) -> str:
    registry = Registry(Project(at.trained()))
    registry.blobs.path(registry.resolve("words").files["head.safetensors"]).write_bytes(b"\0" * 100)
    shutil.rmtree(at.root / ".hatrack" / "cache", ignore_errors=True)
    (at.root / "texts.txt").write_text("a red lamp\n")
    return f"classify words {at.root / 'texts.txt'}"


@case("a registry that is no database", "cannot be opened", "PROJECT/.hatrack")
def _(at: Place) -> str:
    at.trained()
    (at.root / ".hatrack" / "registry.db").write_bytes(b"no database " * 400)
    return "versions"


@case("classify: the column is not in the file", "id, text, label", "--column text")
def _(at: Place) -> str:
    at.trained()
    return f"classify words {at.root / 'words.jsonl'} --column texts"


@case("classify: an adapter without labels", "knows no labels", "the unadapted base")
def _(at: Place) -> str:
    at.root = copy_of(trained_by_text(at.causal), at.tmp)
    return f"classify base {at.root / 'shy.jsonl'}"


# the command line
fault("init where a project is already", "init PROJECT/data.jsonl", lambda at: at.project(), "hatrack.yaml already", "--add")
fault(
    "init with a file in which nothing is to be learned",
    "init PROJECT/odd.csv --base MODEL",
    _unclear,
    "columns a, b",
    "rename two columns",
)
fault("unknown command", "trian", lambda at: at.project(), "did you mean `hatrack train`?", real=True, inside=False)
