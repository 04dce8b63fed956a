"""Errors planted in public data are found, with the real encoder and with words alone."""

import json
import random

import pytest
from rich.console import Console

from hatrack.data.quality.label_errors import suspects
from hatrack.data.quality.vectors import Vectors, vectors
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.check import _embedding

pytestmark = pytest.mark.real


def test_most_of_5_percent_planted_errors_are_found_and_nearly_all_of_the_first_fifty_are_errors(public_data, make_project, real_cache):
    lines = (public_data / "finance" / "banking77" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    every = [json.loads(line) for line in lines]
    names, rng = sorted({row["label"] for row in every})[:25], random.Random(0)
    rows = [row for row in every if row["label"] in names]
    wrong = set(rng.sample(range(len(rows)), len(rows) // 20))
    given = [rng.choice([name for name in names if name != row["label"]]) if i in wrong else row["label"] for i, row in enumerate(rows)]
    texts = [row["text"] for row in rows]

    root = make_project(base="bundled/all-minilm-l6-v2")
    bench = Workbench.open(root, Console(stderr=True))
    embedded = Vectors(_embedding(bench)(texts), "encoder")
    assert len(embedded) == len(texts)
    for seen, least in ((embedded, 0.65), (vectors(texts, 10_000), 0.55)):
        found, _ = suspects(seen, given, 13)
        hits = [one for one in found if one.position in wrong]
        assert len(hits) > least * len(wrong)
        assert len(hits) > least * len(found)
        assert sum(one.position in wrong for one in found[:50]) > 45
