"""Faults of tables: in the config, in the file, in rows to be predicted."""

from __future__ import annotations

from typing import Any

import yaml

from error_place import Place, fault
from made_tables import loan_rows, table_project, write_csv

__all__: list[str] = []


def _table(rows: list[dict[str, Any]] | None = None, **keys: Any):
    def make(place: Place) -> None:
        place.root = table_project(place.tmp / "project", rows, **keys)

    return make


_SCORE = {"name": "tone", "column": "purpose", "adapter": "words"}


def _trained(changes: dict[str, Any] | None = None, gone: str = "", rows: int = 3, **keys: Any):
    def make(place: Place) -> None:
        from hatrack.cli.main import main

        place.root = table_project(place.tmp / "project", **keys)
        place.quietly(lambda: main(["table", "train", "loans", "--project", str(place.root)]))
        made = [{key: value for key, value in {**row, **(changes or {})}.items() if key != gone} for row in loan_rows(rows, seed=9)]
        write_csv(place.root / "new.csv", made)

    return make


def _broken(place: Place) -> None:
    _trained()(place)
    for path in (place.root / ".hatrack" / "blobs").rglob("*"):
        if path.is_file():
            path.write_bytes(b"{}")
    import shutil

    shutil.rmtree(place.root / ".hatrack" / "cache", ignore_errors=True)


def _both_names(place: Place) -> None:
    _table()(place)
    path = place.root / "hatrack.yaml"
    config = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**config, "adapters": {"loans": {"data": "x.jsonl", "task": "instruct"}}}))


_ROWS = loan_rows(60)
_LEAKED = [{**row, "reminder": int(row["late"] == "yes")} for row in loan_rows()]

fault("a table that is not in the config", "table train lone", _table(), "did you mean loans?", real=True)
fault("a table and an adapter of one name", "table train loans", _both_names, "a name belongs to one of them")
fault("a target that is no column", "table train loans", _table(target="lte"), "did you mean late?")
fault("a target with a single class", "table train loans", _table([{**row, "late": "no"} for row in _ROWS]), "single class")
fault("a table with one row", "table train loans", _table(loan_rows(1)), "too few rows")
fault("a column that gives the target away", "table train loans", _table(_LEAKED), "reminder", "allow_leaks")
fault("a word among numbers", "table train loans", _table([{**_ROWS[0], "amount": "much"}, *_ROWS[1:]]), "row 2: much")
fault("a table model that does not exist", "table train loans", _table(model="forrest"), "did you mean forest?")
fault("an option that a table model does not have", "table train loans", _table(options={"max_itr": 1}), "did you mean max_iter?")
fault("a monotone column for a linear model", "table train loans", _table(monotone={"amount": 1}), "cannot be held monotone")
fault("a split by time without a column", "table train loans", _table(split={"by": "time"}), "column")
fault("a feature of no known kind", "table train loans", _table(features=[{"name": "x", "make": "windw"}]), "did you mean window?")
fault("a table that was never trained", "table predict loans PROJECT/loans.csv", _table(), "hatrack table train")
fault("rows without a column", "table predict loans PROJECT/new.csv", _trained(gone="amount"), "missing: amount")
fault("rows with a word for a number", "table predict loans PROJECT/new.csv", _trained({"amount": "lots"}), "row 2: column amount")
fault("a row that the file does not have", "table explain loans PROJECT/new.csv --row 99", _trained(), "no row of this number")
fault("a stream without its truth", "table stream loans PROJECT/new.csv", _trained(gone="late"), "missing: late")
fault("a stream that trained the version", "table stream loans PROJECT/loans.csv", _trained(), "trained on this very file")
fault("a learner that does not exist", "table stream loans PROJECT/new.csv --learner rivr", _trained(rows=200), "did you mean river?")
fault("a stream with a single class", "table stream loans PROJECT/new.csv", _trained({"late": "no"}), "single class")
fault("a stream for a target of values", "table stream loans PROJECT/new.csv", _trained(target="amount"), "only tables of two classes")
fault("texts read by no adapter", "table train loans", _table(text_scores=[_SCORE]), "no adapter called")
fault("a damaged table model", "table predict loans PROJECT/loans.csv", _broken, "damaged")
fault("a text by an adapter that does not exist", "explain-text loans PROJECT/new.csv --adapter none", _trained(), "no adapter called")
fault("init of a table without its column", "init PROJECT/loans.csv --add --name more --table lte", _table(), "did you mean late?")
fault("init of a table that is there", "init PROJECT/loans.csv --add --name loans --table late", _table(), "loans already", "--name")
