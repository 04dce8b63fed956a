"""Preference learning on public pairs with the real causal base, on the shortest of them."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.real

TURN = "\n\nAssistant:"


def pairs(path, most):
    """Pairs whose conversations are the same up to the last answer; earlier turns stand in the prompt as they are written."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        (asked, _, chosen), (same, _, rejected) = (row[side].rpartition(TURN) for side in ("chosen", "rejected"))
        pair = {"prompt": asked.removeprefix("Human: ").strip(), "chosen": chosen.strip(), "rejected": rejected.strip()}
        if asked == same and all(pair.values()) and chosen != rejected:
            length = len(pair["prompt"]) + max(len(pair["chosen"]), len(pair["rejected"]))
            kept += [{"id": row["id"], **pair}] if length < 300 else []
    return kept[:most]


def test_better_answers_gain_more_on_the_base_than_worse_ones(public_data, make_project, hatrack, real_cache):
    folder = public_data / "safety" / "hh_harmless"
    root = make_project(
        "prefer",
        pairs(folder / "train.jsonl", 200),
        name="careful",
        base="bundled/smollm2-135m-instruct",
        data={"train": "data.jsonl", "test": "test.jsonl"},
        train={"epochs": 2, "batch_size": 8, "max_length": 128, "learning_rate": 0.0002},
        checks={"leaks": "drop"},
        split=[0.9, 0.05, 0.05],
        r=8,
        alpha=16,
        last_layers=12,
    )
    (root / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs(folder / "test.jsonl", 100)), encoding="utf-8")
    ran = hatrack("adapt", "--json", project=root)
    report = json.loads(ran.out)[0]
    assert report["rows"] == 96
    gain = next(c for c in report["comparisons"] if c["metric"] == "reward_accuracy")
    assert gain["interval"]["low"] > 0, "chance is one half, and the base's figure"
