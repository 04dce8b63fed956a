"""Who answers, by name."""

from __future__ import annotations

import pytest

from hatrack.data.speakers import answers, known_speaker, sides


@pytest.mark.parametrize(
    "name", ["Agent", "agent 2", "Support (Ana)", "Dr. Weiss", "Customer Support", "AGENTE", "Conseillère", "bot", "assistant"]
)
def test_these_answer(name):
    assert answers(name)
    assert known_speaker(name)


@pytest.mark.parametrize("name", ["Customer", "Caller 1", "Kunde", "patient"])
def test_these_ask(name):
    assert not answers(name)
    assert known_speaker(name)


@pytest.mark.parametrize("name", ["Ana", "Botticelli", "Drew", "Agenta", "Reporter", "", "42"])
def test_a_part_of_a_word_is_no_role(name):
    assert not answers(name)
    assert not known_speaker(name)


def test_everybody_has_one_side():
    assert sides(["Ana", "Agent", "Ana", "SYSTEM"]) == {"Ana": "user", "Agent": "assistant", "SYSTEM": "system"}


def test_a_speaker_called_assistant_is_the_only_one():
    assert sides(["Doctor", " assistant "]) == {"Doctor": "user", " assistant ": "assistant"}


@pytest.mark.parametrize("names", [["Ana", "Bo"], ["Agent"], ["Assistant", "system"], []])
def test_one_side_alone_is_no_conversation(names):
    with pytest.raises(ValueError, match="assistant"):
        sides(names)
