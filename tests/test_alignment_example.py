"""The example of alignment: its pairs are what its page says, and both stages are trained and measured from it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml

from hatrack.core.config_file import parse_config
from hatrack.evaluation.metrics.base import Answers
from hatrack.evaluation.metrics.format import Format
from hatrack.training.curves import read_events
from hatrack.training.methods.base import option_model
from hatrack.workflows.adapt import Workbench, adapt
from projects import speaking_base
from tiny_training import run_folder, silent

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "alignment"
LEARN = {"epochs": 4, "batch_size": 8, "max_length": 512, "learning_rate": 0.01}


def rows(name):
    return [json.loads(line) for line in (EXAMPLE / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def form():
    """Whether an answer is what ``answer_schema`` asks for."""
    schema = parse_config((EXAMPLE / "hatrack.yaml").read_text(encoding="utf-8"), option_model).adapters["support"].answer_schema

    def fits(answer):
        return bool(Format().rows(Answers((answer,), ("",), answer_schema=schema))[0, 0])

    return fits


def test_every_answer_and_every_better_answer_has_the_form(form):
    answers, pairs = rows("answers.jsonl"), rows("preferences.jsonl")
    assert len(answers) == len(pairs) == 48
    assert len({row["prompt"] for row in (*answers, *pairs)}) == 96
    assert all(form(row["response"]) for row in answers)
    assert all(form(row["chosen"]) for row in pairs)


def test_the_two_answers_of_a_pair_differ_in_what_it_is_about(form):
    pairs = rows("preferences.jsonl")
    assert Counter(row["about"] for row in pairs) == {"polite": 16, "safe": 16, "json": 16}
    for row in pairs:
        assert row["chosen"] != row["rejected"]
        assert form(row["rejected"]) is (row["about"] != "json"), row["prompt"]
    table = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{about}` |" in table for about in ("polite", "safe", "json"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory, tiny_causal):
    """The example on a tiny model, which takes larger steps."""
    root = Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("alignment") / "project"))
    config = yaml.safe_load((root / "hatrack.yaml").read_text(encoding="utf-8"))
    for adapter in config["adapters"].values():
        adapter["train"] = LEARN
    (root / "hatrack.yaml").write_text(yaml.safe_dump({**config, "base": str(speaking_base(tiny_causal))}))
    return Workbench.open(root, silent())


def test_both_stages_are_trained_and_measured(bench):
    support, first, _ = adapt(bench, "support")
    assert (first.task, first.rows) == ("instruct", 12)
    assert "format" in first.system("adapter").scores
    polite, second, _ = adapt(bench, "polite")
    assert polite.parents == (support.digest,)
    assert (second.task, second.metric, second.rows) == ("prefer", "preference_accuracy", 12)
    assert {"base", "base-parent", "adapter"} <= {system.name for system in second.systems}
    # every epoch sees the same pairs: what they cost falls from the first to the last
    losses = [event["loss"] for event in read_events(run_folder(bench.project.root, "polite")) if "loss" in event]
    epoch = len(losses) // LEARN["epochs"]
    assert sum(losses[-epoch:]) < sum(losses[:epoch])
    # what the manners cost of the facts
    [kept] = second.kept
    assert (kept.parent, kept.task, kept.rows) == ("support@1.0.0", "instruct", 12)
    assert kept.comparison.interval.low <= kept.comparison.difference <= kept.comparison.interval.high
