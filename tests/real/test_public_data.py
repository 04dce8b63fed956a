"""The main job on public records with the real encoder, small enough for every run of the tests."""

import json
from collections import Counter

import pytest

pytestmark = pytest.mark.real


def test_twelve_banking_intents_are_told_apart_better_than_by_the_frozen_base(public_data, make_project, hatrack, real_cache):
    def rows(part, each):
        with (public_data / "finance" / "banking77" / f"{part}.jsonl").open(encoding="utf-8") as stream:
            every = [json.loads(line) for line in stream]
        # neighbours in meaning: the declined, reverted and pending payments
        wanted = sorted(
            {row["label"] for row in every if any(word in row["label"] for word in ("declined", "reverted", "pending", "fee"))}
        )[:12]
        kept, seen = [], Counter()
        for row in every:
            if row["label"] in wanted and seen[row["label"]] < each:
                seen[row["label"]] += 1
                kept.append(row)
        return kept

    root = make_project(
        "classify",
        rows("train", 24),
        name="bank",
        base="bundled/all-minilm-l6-v2",
        data={"train": "data.jsonl", "test": "test.jsonl"},
        train={"epochs": 4, "batch_size": 16, "max_length": 96, "base_dropout": "off"},
        checks={"leaks": "drop"},
        last_layers=3,  # the frozen half runs once, see docs/fast.md
        r=16,
        alpha=32,
    )
    (root / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows("test", 30)), encoding="utf-8")
    ran = hatrack("adapt", "--json", project=root)
    report = json.loads(ran.out)[0]
    scores = {system["name"]: system["scores"]["accuracy"]["value"] for system in report["systems"]}
    assert scores["base-centroid"] > 0.6  # the encoder is not random
    assert ran.code == 0, report["reasons"]
    assert scores["adapter"] > scores["base-centroid"]
