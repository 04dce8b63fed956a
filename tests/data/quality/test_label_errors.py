"""Labels that are probably wrong."""

import json
import random

import numpy as np
import pytest

from hatrack.data.quality import label_errors
from hatrack.data.quality.label_errors import find_label_errors, suspects
from hatrack.data.quality.record import Place
from hatrack.data.quality.vectors import Vectors, vectors
from quality_rows import TOPICS, labelled, relabel


def find(rows, embedded=None):
    return find_label_errors(
        [row.text for row in rows],
        [row.label for row in rows],
        embedded,
        lambda i: Place(split="train", row=rows[i].row),
        lambda text: text[:20],
        of=len(rows),
        seed=0,
    )


def planted(rows, count, seed=0):
    """Another label for some rows; positions and the labels that were right."""
    rng, names = random.Random(seed), sorted(TOPICS)
    chosen = rng.sample(range(len(rows)), count)
    return relabel(rows, {i: rng.choice([name for name in names if name != rows[i].label]) for i in chosen}), {
        i: rows[i].label for i in chosen
    }


def test_planted_errors_are_found_with_the_right_label():
    rows, truth = planted(labelled(300), 15)
    found = find(rows)
    assert {one.place.row - 1: one.suggested for one in found.errors} == truth
    assert found.flagged == 15
    assert found.share == 0.05
    assert found.agreement == pytest.approx(0.95)
    assert found.source == "words"


def test_clean_rows_are_not_doubted():
    assert find(labelled(300)).flagged == 0


def test_the_most_certain_come_first_and_pairs_of_labels_are_counted():
    rows = relabel(labelled(300), {0: "kitchen", 3: "kitchen", 6: "railway"})
    found = find(rows)
    margins = [one.margin for one in found.errors]
    assert margins == sorted(margins, reverse=True)
    assert [(one.given, one.suggested, one.rows) for one in found.confusions] == [("kitchen", "weather", 2), ("railway", "weather", 1)]


def test_the_rule_is_the_confident_joint(monkeypatch):
    """Row 2 reaches the threshold of b and not its own, row 4 that of a; row 3 is right."""
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.2, 0.8], [0.75, 0.25]])
    own = {"a": (0.9 + 0.8 + 0.4) / 3, "b": (0.8 + 0.25) / 2}
    assert own == {"a": pytest.approx(0.7), "b": pytest.approx(0.525)}
    monkeypatch.setattr(label_errors, "_out_of_sample", lambda *given: p)
    found, agreement = suspects(Vectors(p, "made"), ["a", "a", "a", "b", "b"], 0)
    assert [(one.position, one.given, one.suggested) for one in found] == [(4, "b", "a"), (2, "a", "b")]
    assert found[0].margin == pytest.approx(0.5)
    assert agreement == 0.6


def test_a_row_that_is_unsure_but_of_its_own_label_is_not_flagged(monkeypatch):
    """Row 2 is under the threshold of a (0.8) and at that of b (0.45), and still rather a than b."""
    p = np.array([[0.95, 0.05], [0.9, 0.1], [0.55, 0.45], [0.6, 0.4], [0.5, 0.5]])
    monkeypatch.setattr(label_errors, "_out_of_sample", lambda *given: p)
    assert suspects(Vectors(p, "made"), ["a", "a", "a", "b", "b"], 0)[0] == []


def test_labels_with_fewer_rows_than_folds_are_left_out():
    rows = relabel(labelled(60), {0: "rare", 3: "rare"})
    found = find(rows)
    assert str(found.basis) == "on 58 of 60 rows"
    assert {"rare"} & {one.given for one in found.errors} == set()


def test_one_label_with_enough_rows_is_nothing_to_compare():
    assert find(labelled(9)) is None


def test_embeddings_are_used_where_they_cover_every_row():
    rows, truth = planted(labelled(300), 15)
    meanings = np.eye(3, dtype=np.float32)[[list(TOPICS).index(truth.get(i, row.label)) for i, row in enumerate(rows)]]
    assert find(rows, Vectors(meanings, "encoder")).source == "encoder"
    assert find(rows, Vectors(meanings[:100], "encoder")).source == "words"


def test_two_runs_give_the_same_list():
    rows, _ = planted(labelled(200), 10)
    assert find(rows) == find(rows)


def test_most_errors_planted_in_public_data_are_found(public_data):
    """5 % of banking77's training rows of 20 labels get another label; what is wrong as published counts against precision."""
    lines = (public_data / "finance" / "banking77" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    names = sorted({row["label"] for row in rows})[:20]
    rows = [row for row in rows if row["label"] in names]
    rng = random.Random(0)
    wrong = set(rng.sample(range(len(rows)), len(rows) // 20))
    given = [rng.choice([name for name in names if name != row["label"]]) if i in wrong else row["label"] for i, row in enumerate(rows)]
    found, _ = suspects(vectors([row["text"] for row in rows], 10_000), given, 13)
    hits = [one for one in found if one.position in wrong]
    assert len(hits) > 0.65 * len(wrong)
    assert len(hits) > 0.8 * len(found)
    assert sum(rows[one.position]["label"] == one.suggested for one in hits) > 0.95 * len(hits)
