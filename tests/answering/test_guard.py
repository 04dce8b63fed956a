"""Guard-rails around answering: rules by adapter, answers held until they are whole, everything counted."""

from __future__ import annotations

import pytest

from hatrack import Assistant
from hatrack.answering.guard import Guard
from hatrack.core.chat import Message
from hatrack.core.config import ProjectConfig
from hatrack.core.errors import GuardRefused
from hatrack.serving.request import Failed, Finished, Piece, TokenChoice

END = Finished("stop", 1, 0, 3, 0.0, 0.0, 0.0)
TOPIC = {"topics": {"weather": ["rain"]}}


def guard(**keys):
    adapters = {"a": {"data": "x.jsonl", "task": "instruct"}, "own": {"data": "x.jsonl", "task": "instruct", "guard": keys.pop("own", {})}}
    made = Guard(ProjectConfig.model_validate({"adapters": adapters, "guard": keys}))
    counted = []
    made.count = lambda adapter, acted: counted.append((adapter, acted.rule, acted.action))
    return made, counted


def through(made, adapter, events):
    heard = []
    emit = made.outgoing(adapter, heard.append)
    for event in events:
        emit(event)
    return heard


def test_the_projects_rules_are_those_of_the_base_and_of_adapters_without_their_own():
    made, counted = guard(input=TOPIC, own={"input": {"topics": {"sports": ["goal"]}}})
    rain, goal = [(Message("user", text),) for text in ("Will it rain?", "Was it a goal?")]
    for adapter in ("base", "a"):
        with pytest.raises(GuardRefused) as refused:
            made.incoming(adapter, rain)
        assert "weather" in refused.value.given
        assert "Will it" not in str(refused.value)
        assert made.incoming(adapter, goal) == goal
    assert made.incoming("own", rain) == rain
    with pytest.raises(GuardRefused):
        made.incoming("own", goal)
    assert counted == [("base", "input.topics", "refused"), ("a", "input.topics", "refused"), ("own", "input.topics", "refused")]


def test_without_rules_events_pass_one_by_one():
    made, _ = guard()
    emit = lambda event: None  # noqa: E731
    assert made.outgoing("a", emit) is emit
    assert not made.holds("a")


def test_an_answer_with_rules_is_told_when_it_is_whole_and_with_its_tokens_when_nothing_changed():
    made, counted = guard(output=TOPIC)
    pieces = [Piece("It is ", (TokenChoice(1, -0.1),)), Piece("dry.", (TokenChoice(2, -0.1),))]
    heard = through(made, "a", [*pieces, END])
    assert heard == [Piece("It is dry.", (TokenChoice(1, -0.1), TokenChoice(2, -0.1))), END]
    assert counted == []


def test_no_part_of_a_refused_answer_is_ever_told():
    made, counted = guard(output=TOPIC, refusal="Not here.")
    heard = through(made, "a", [Piece("There will be ra", (TokenChoice(1, 0.0),)), Piece("in."), END])
    assert heard == [Piece("Not here."), END]
    assert counted == [("a", "output.topics", "refused")]


def test_a_failed_or_cancelled_answer_tells_nothing_of_what_was_held():
    made, _ = guard(output=TOPIC)
    failed = Failed(RuntimeError("x"))
    assert through(made, "a", [Piece("ra"), failed]) == [failed]
    cancelled = Finished("cancelled", 1, 0, 1, 0.0, 0.0, 0.0)
    assert through(made, "a", [Piece("ra"), cancelled]) == [cancelled]


def test_the_assistant_in_python_keeps_to_the_rules_too(make_project):
    root = make_project("instruct", [{"id": "1", "prompt": "a", "response": "b"}])
    config = root / "hatrack.yaml"
    config.write_text(config.read_text() + "guard: {input: {topics: {weather: [rain]}}, output: {max_characters: 3}}\n")
    assistant = Assistant.open(root)
    with pytest.raises(GuardRefused):
        assistant.generate("Will it rain?")
    told = []
    reply = assistant.generate("the red apple", max_new_tokens=12, on_text=told.append)
    assert len(reply.text) <= 3
    assert told == [reply.text]
