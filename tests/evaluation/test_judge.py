"""A judge that is asked twice, read with care, and checked against people."""

from __future__ import annotations

import json

import pytest

from conftest import write_jsonl
from hatrack.core.errors import EvaluationError
from hatrack.evaluation.judge import agreement, ask_judge, read_verdict
from provider_server import KEY, provider_server

ROWS = [(f"question {i}", "a long good answer", "bad") for i in range(40)]


def by_length(turns):
    """A judge who likes long answers, wherever they stand."""
    a, b = (turns[-1].content.partition(f"Answer {name}:\n")[2].partition("\n\n")[0] for name in "AB")
    return "A" if len(a) > len(b) else "B" if len(b) > len(a) else "TIE"


def test_the_better_answer_wins_in_both_places():
    judged = ask_judge(by_length, ROWS, 0.95, 1)
    assert judged.verdicts == ("a",) * 40
    assert (judged.win_rate.value, judged.inconsistent, judged.unreadable) == (1, 0, 0)
    assert judged.p < 1e-6
    turned = ask_judge(by_length, [(q, b, a) for q, a, b in ROWS], 0.95, 1)
    assert turned.verdicts == ("b",) * 40


def test_a_judge_who_always_takes_the_first_decides_nothing():
    judged = ask_judge(lambda turns: "A", ROWS, 0.95, 1)
    assert judged.verdicts == ("tie",) * 40
    assert (judged.win_rate.value, judged.p, judged.inconsistent) == (0.5, 1.0, 1.0)


def test_equal_answers_are_a_tie_and_cost_nothing():
    def never(turns):
        raise AssertionError("nobody needs to be asked")

    assert ask_judge(never, [("q", "same", "same ")] * 3, 0.95, 1).verdicts == ("tie",) * 3


def test_a_judge_who_answers_nonsense_is_refused():
    with pytest.raises(EvaluationError, match="something else than a verdict") as refused:
        ask_judge(lambda turns: "The weather is fine", ROWS, 0.95, 1)
    assert "80 of 80 replies" in refused.value.given


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("A", "a"),
        ("**B**", "b"),
        ("TIE.", "tie"),
        ("Answer B is better", "b"),
        ("A or B", None),
        ("a cat", None),
        ("", None),
        ("ABBA", None),
    ],
)
def test_a_reply_is_read_or_it_is_not(reply, verdict):
    assert read_verdict(reply) == verdict


def test_kappa_by_hand_and_when_a_judge_may_gate():
    # 45 of 60 equal; by chance (30/60)² + (30/60)² = 0.5: kappa 0.5
    people = {f"r{i}": "a" if i < 30 else "b" for i in range(60)}
    said = {row: ("b" if people[row] == "a" else "a") if i % 4 == 0 else people[row] for i, row in enumerate(people)}
    found = agreement(said, people, 0.95, 1)
    assert found.share == 0.75
    assert found.kappa.value == pytest.approx(0.5, abs=0.01)
    assert not found.may_gate
    assert agreement(people, people, 0.95, 1).may_gate
    few = dict(list(people.items())[:40])
    assert "too few" in agreement(few, few, 0.95, 1).reason


def test_verdicts_that_are_none_and_other_rows_are_refused():
    with pytest.raises(EvaluationError, match="a human verdict is none"):
        agreement({"x": "a"}, {"x": "left"}, 0.95, 1)
    with pytest.raises(EvaluationError, match="same rows"):
        agreement({"x": "a"}, {"y": "a"}, 0.95, 1)


def test_the_command_asks_a_server_and_says_how_far_it_may_be_trusted(hatrack, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    rows = [{"id": f"q{i}", "text": f"question {i}", "expected": "x"} for i in range(4)]
    ours = write_jsonl(tmp_path / "ours.jsonl", [{**row, "prediction": "a long answer"} for row in rows])
    theirs = write_jsonl(tmp_path / "theirs.jsonl", [{**row, "prediction": "no"} for row in rows])
    people = write_jsonl(tmp_path / "people.jsonl", [{"id": f"q{i}", "verdict": "A" if i else "tie"} for i in range(4)])
    with provider_server() as server:
        server.say = lambda model, messages: "A" if messages[-1]["content"].index("a long") < messages[-1]["content"].index("no\n") else "B"
        server.models = {"gpt-tiny"}
        judge = f"{server.base_url}#gpt-tiny"
        ran = hatrack("judge", str(ours), str(theirs), "--judge", judge, "--human", str(people))
        as_json = hatrack("judge", str(ours), str(theirs), "--judge", judge, "--json")
    assert ran.code == 0, ran.err
    assert "ours.jsonl wins 1.000" in ran.out
    assert "75% equal" in ran.out
    assert "it may not decide on a promotion" in ran.out
    assert json.loads(as_json.out)["verdicts"] == ["a"] * 4
