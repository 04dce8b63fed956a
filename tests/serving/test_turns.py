"""Whose turn it is, on answers that stand nowhere but in a list."""

from __future__ import annotations

from types import SimpleNamespace

from hatrack.serving.turns import Turns


def answer(digest, *, first=1.0, started=100.0):
    return SimpleNamespace(request=SimpleNamespace(digest=digest), first=first, started=started)


def names(answers):
    return [one.request.digest for one in answers]


def test_a_step_of_equals_is_everybody_s_in_the_order_of_their_coming():
    running = [answer("a"), answer("b", first=0.0), answer("c")]
    assert Turns(2.0).take(running, 101.0) == running


def test_prompts_of_the_adapter_with_the_fewest_answers_come_first():
    running = [answer("a", first=0.0), answer("a", first=0.0), answer("b", first=0.0), answer("b", first=0.0), answer("c", first=0.0)]
    assert names(Turns(2.0).take(running, 101.0)) == ["c", "a", "a", "b", "b"]


def test_F26_who_has_more_than_half_stands_aside_for_another_s_prompt_every_other_step():
    flood, other = [answer("a") for _ in range(4)], answer("b", first=0.0)
    turns = Turns(2.0)
    steps = [names(turns.take([*flood, other], 101.0)) for _ in range(4)]
    assert steps == [["b"], ["b", "a", "a", "a", "a"]] * 2


def test_nobody_stands_aside_for_an_answer_that_has_begun_or_for_himself():
    flood = [answer("a") for _ in range(3)]
    assert len(Turns(2.0).take([*flood, answer("b")], 101.0)) == 4
    assert len(Turns(2.0).take([*flood, answer("a", first=0.0)], 101.0)) == 4
    assert len(Turns(2.0).take([answer("a"), answer("b", first=0.0)], 101.0)) == 2, "half is not more than half"


def test_a_prompt_that_has_waited_too_long_goes_before_all():
    late = answer("a", first=0.0, started=90.0)
    running = [answer("b", first=0.0), answer("a", first=0.0), late]
    assert Turns(2.0).take(running, 101.0)[0] is late
    assert Turns(20.0).take(running, 101.0)[0] is running[0]
