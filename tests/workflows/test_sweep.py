"""``hatrack train --sweep`` from the config to the proven adapter."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from conftest import label_rows
from hatrack.core.errors import RunInUse, TrainingError
from hatrack.workflows import sweep as module
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.sweep import sweep
from tiny_training import silent

RUN = {"epochs": 3, "batch_size": 2, "learning_rate": 0.006}  # 72 steps: rungs of 24 and 72
SPACE = {"methods": ["lora"], "ranks": [4], "rates": [1e30, 0.3], "rungs": 2, "trials": 3}


class Watched(Sequence):
    """Rows that remember who looked at them."""

    def __init__(self, rows, looks, during):
        self.rows, self.looks, self.during = rows, looks, during

    def _look(self):
        self.looks.append(self.during["what"])

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        self._look()
        return self.rows[index]

    def __iter__(self):
        self._look()
        return iter(self.rows)


def open_bench(project):
    return Workbench.open(project, silent())


@pytest.fixture
def counted(monkeypatch):
    """The trainings that are begun, by run name and epochs."""
    begun = []
    real = module.train_adapter

    def train(name, config, *rest):
        begun.append((name, config.train.epochs))
        return real(name, config, *rest)

    monkeypatch.setattr(module, "train_adapter", train)
    return begun


def test_the_best_is_registered_and_the_test_rows_are_looked_at_once(make_project, counted, monkeypatch):
    long = {**RUN, "epochs": 6}
    project = make_project(rows=label_rows(120), train=long, sweep={**SPACE, "rates": [1e30, 0.01]})
    bench = open_bench(project)
    looks, during = [], {"what": "search"}
    real_prepare, real_measure = bench.prepare, bench.measure

    def prepared(name):
        found = real_prepare(name)
        return replace(found, splits=replace(found.splits, test=Watched(found.splits.test, looks, during)))

    def measure(*args):
        during["what"] = "evaluation"
        during["times"] = during.get("times", 0) + 1
        return real_measure(*args)

    monkeypatch.setattr(bench, "prepare", prepared)
    monkeypatch.setattr(bench, "measure", measure)
    result = sweep(bench, "first")

    assert set(looks) == {"evaluation"}
    assert during["times"] == 1
    assert [trial.settings.times for trial in result.trials if trial.failed] == [1e30]
    [failed] = [trial for trial in result.trials if trial.failed]
    assert "the training loss became" in failed.last.failed
    first = [trial for trial in result.trials if not trial.failed]
    assert result.chosen is max(first, key=lambda trial: (trial.outcomes[0].score, -trial.outcomes[0].loss))
    assert sorted(counted) == [("first", 6.0), ("first#1", 2.0), ("first#2", 2.0), ("first#3", 2.0)]
    assert result.manifest.config["train"]["learning_rate"] == result.chosen.settings.learning_rate
    assert bench.registry.report(result.manifest) is not None
    assert [version.digest for version in bench.registry.versions("first")] == [result.manifest.digest]
    assert result.plot.read_bytes().startswith(b"\x89PNG")
    assert not list(bench.project.runs.glob("first#[0-9]*")), "what short trainings leave is removed"

    # again: nothing is trained, nothing is measured, nothing is registered twice
    counted.clear()
    again = sweep(bench, "first")
    assert counted == []
    assert during["times"] == 1
    assert again.manifest == result.manifest
    assert [trial.outcomes for trial in again.trials] == [trial.outcomes for trial in result.trials]


def test_trials_are_given_no_test_rows(make_project, monkeypatch):
    given = []

    def train(name, config, files, prepared, *rest):
        given.append((len(prepared.splits.train), len(prepared.splits.test)))
        raise TrainingError("not today")

    monkeypatch.setattr(module, "train_adapter", train)
    bench = open_bench(make_project(train=RUN, sweep=SPACE))
    with pytest.raises(TrainingError, match="no trial of the sweep came to its end") as refused:
        sweep(bench, "first")
    assert given == [(48, 0)] * 3
    assert "lora: not today" in refused.value.given


def scores(monkeypatch, table, seconds=0.0):
    """Trainings that take no time: the score is read from a table of (times, epochs)."""

    def outcome(self, trial, rung, config, key):
        value = table[round(trial.settings.times, 3), round(config.train.epochs, 3)]
        failed = {"failed": value} if isinstance(value, str) else {"score": value, "loss": 1.0}
        return module.Outcome(epochs=config.train.epochs, seconds=seconds, **failed)

    monkeypatch.setattr(module._Search, "_outcome", outcome)


def search(project, console=None):
    bench = Workbench.open(project, console or silent())
    config = bench.adapter("first")
    folder = bench.project.runs / "first#sweep"
    space = module.open_space(config, bench.files)
    return module._Search(bench, "first", config, bench.prepare("first"), space, folder, silent())


FOUR = {"methods": ["lora"], "ranks": [4], "rates": [0.5, 2, 3], "rungs": 2, "keep": 2}
FIRST = {(1.0, 1.5): 0.1, (0.5, 1.5): 0.2, (2.0, 1.5): 0.8, (3.0, 1.5): 0.9}


def test_who_fails_in_a_later_round_gives_its_place_to_the_next(make_project, monkeypatch):
    project = make_project(train={**RUN, "learning_rate": None}, sweep=FOUR)
    scores(monkeypatch, {**FIRST, (3.0, 3.0): "NaN", (2.0, 3.0): 0.7, (0.5, 3.0): 0.8, (1.0, 3.0): 1.0})
    one = search(project)
    assert one.run().settings.times == 0.5, "2 and 0.5 were trained in full; 1 was worse than both in rung 1"
    assert sorted(len(trial.outcomes) for trial in one.trials) == [1, 2, 2, 2]


def test_lower_is_better_where_the_score_is_the_loss(make_project, monkeypatch):
    project = make_project(train={**RUN, "learning_rate": None}, sweep={**FOUR, "score": "loss"})
    scores(monkeypatch, {**FIRST, (1.0, 3.0): 0.5, (0.5, 3.0): 0.4})
    one = search(project)
    assert one.score == "validation loss"
    assert one.run().settings.times == 0.5


def test_minutes_end_each_round_in_its_share_of_the_time(make_project, monkeypatch):
    project = make_project(train={**RUN, "learning_rate": None}, sweep={**FOUR, "minutes": 1})
    scores(monkeypatch, {**FIRST, **{(times, 3.0): 1.0 for times, _ in FIRST}}, seconds=15)
    one = search(project)
    one.run()
    assert [len(trial.outcomes) for trial in one.trials] == [2, 2], "two trials in the first half minute, two in the second"


def test_a_person_sees_the_rounds_the_scores_and_the_time_left(make_project, monkeypatch):
    project = make_project(train={**RUN, "learning_rate": None}, sweep=FOUR)
    scores(monkeypatch, {**FIRST, (3.0, 3.0): 0.9, (2.0, 3.0): "out of memory"} | {(0.5, 3.0): 0.3}, seconds=60)
    stream = io.StringIO()
    search(project, Console(file=stream, width=200)).run()
    seen = stream.getvalue()
    assert "sweep over 4 settings: 4 for 1.5 epochs, then 2 for 3 epochs; by accuracy" in seen
    assert "rung 1 of 2, trial 1: lora, rank 4, rate 0.002 (x1): accuracy 0.100, 60 s; about 7 min left" in seen
    assert "failed: out of memory" in seen


def test_two_processes_cannot_be_at_one_sweep(make_project):
    project = make_project(train=RUN, sweep=SPACE)
    folder = project / ".hatrack" / "runs" / "first#sweep"
    folder.mkdir(parents=True)
    with module._only_one(folder), pytest.raises(RunInUse, match="another process is at this sweep"):
        sweep(open_bench(project), "first")


def test_the_command_prints_a_table_and_json(make_project, hatrack):
    project = make_project(
        train={"epochs": 1, "batch_size": 8, "learning_rate": 0.006}, sweep={**SPACE, "rungs": 1, "trials": 2, "rates": [1]}
    )
    ran = hatrack("train", "first", "--sweep", project=project)
    assert ran.code == 0, ran.err
    for words in ("2 trials on validation rows", "chosen", "as in hatrack.yaml", "x3", "  method: lora", "registered as first@1.0.0"):
        assert words in ran.out
    [found] = json.loads(hatrack("train", "first", "--sweep", "--json", project=project).out)
    assert {trial["learning_rate"] for trial in found["trials"]} == {0.006, 0.002}
    assert found["trials"][found["chosen"] - 1]["rungs"][-1]["score"] == max(trial["rungs"][-1]["score"] for trial in found["trials"])
    assert found["manifest"]["version"] == "1.0.0"
    assert found["report"]["rows"] == 6
