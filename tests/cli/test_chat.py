"""A conversation on the terminal, driven through stdin in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from projects import trained_by_text


@pytest.fixture(scope="module")
def talk(tiny_causal):
    def run(*lines, adapter="colours"):
        options = ["--adapter", adapter, "--max-new-tokens", "4", "--project", str(trained_by_text(tiny_causal))]
        typed = "".join(line + "\n" for line in lines)
        command = [sys.executable, "-m", "hatrack", "chat", *options]
        return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture(scope="module")
def one_conversation(talk):
    return talk(
        "tree red lamp 4 bird",
        "/use shy",
        "one",
        "/use coluors",
        "/nonsense",
        "/use colours",
        "/new",
        "",
        "stone blue cloud 7 fish",
        "/quit",
        "never read",
    )


def test_it_answers_with_the_adapter_in_use_and_ends_with_0(one_conversation):
    assert one_conversation.returncode == 0, one_conversation.stderr
    said = one_conversation.stdout
    assert "colours> red\n" in said
    assert "shy> " in said


def test_the_conversation_grows_until_new_forgets_it(hatrack, tiny_causal, monkeypatch):
    from hatrack import Assistant

    typed = iter(["one", "two", "/new", "three", "/use nobody", "four", "/quit"])
    seen = []
    real = Assistant.generate

    def watched(self, turns, adapter, **settings):
        seen.append([turn.role[0] + ":" + turn.content for turn in turns if turn.role == "user"] + [len(turns)])
        return real(self, turns, adapter, **settings)

    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    monkeypatch.setattr(Assistant, "generate", watched)
    assert hatrack("chat", "--max-new-tokens", "2", project=trained_by_text(tiny_causal)).code == 0
    assert seen == [["u:one", 1], ["u:one", "u:two", 3], ["u:three", 1], ["u:three", "u:four", 3]]


def test_an_unknown_adapter_inside_a_chat_does_not_end_it(one_conversation):
    assert "Error: there is no adapter called 'coluors'" in one_conversation.stderr
    assert "did you mean colours?" in one_conversation.stderr
    assert "Traceback" not in one_conversation.stderr
    assert one_conversation.stdout.count("> ") == 10


def test_an_unknown_command_inside_a_chat_names_those_there_are(one_conversation):
    assert "Commands: /use NAME, /new, /quit" in one_conversation.stderr


def test_what_stands_behind_quit_is_not_read(one_conversation):
    assert "never" not in one_conversation.stdout


def test_the_end_of_the_input_ends_the_chat(hatrack, tiny_causal, monkeypatch):
    def ended(prompt):
        raise EOFError

    monkeypatch.setattr("builtins.input", ended)
    ran = hatrack("chat", project=trained_by_text(tiny_causal))
    assert ran.code == 0
    assert "Talking with base" in ran.err


def test_a_chat_with_an_unknown_adapter_does_not_begin(hatrack, tiny_causal):
    ran = hatrack("chat", "--adapter", "coluors", project=trained_by_text(tiny_causal))
    assert ran.code == 2
    assert "did you mean colours?" in ran.err
