"""The Python entrance: generate, stream and classify with every adapter of a project."""

from __future__ import annotations

import threading

import pytest

from hatrack import Assistant
from hatrack.answering.assistant import _TextStream
from hatrack.core.errors import AdapterError, AdapterNotFound, ConfigError, TemplateError
from hatrack.core.names import BASE
from projects import copy_of, trained_by_text, trained_encoder

TEXTS = ["tree red lamp 4 bird", "stone blue cloud 7 fish", "lamp green river 1 chair"]


@pytest.fixture(scope="module")
def speaker(tiny_causal):
    return Assistant.open(trained_by_text(tiny_causal))


@pytest.fixture(scope="module")
def reader(tiny_encoder):
    return Assistant.open(trained_encoder(tiny_encoder))


def test_opening_a_project_loads_no_model(tiny_causal):
    assistant = Assistant.open(str(trained_by_text(tiny_causal)))
    assert "pool" not in vars(assistant)


def test_a_folder_without_a_project_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no hatrack\.yaml"):
        Assistant.open(tmp_path)


def test_a_reply_says_which_weights_gave_it(speaker):
    reply = speaker.generate(TEXTS[0], "colours")
    manifest = speaker.registry.resolve("colours")
    assert reply.text == "red"
    assert (reply.adapter, reply.version, reply.digest) == ("colours", "1.0.0", manifest.digest)
    assert reply.stopped
    assert reply.answer_tokens == len(speaker.pool.host.renderer.encode("red"))


def test_the_base_answers_under_its_own_name_and_without_the_system_prompt_of_an_adapter(speaker):
    reply = speaker.generate(TEXTS[0], max_new_tokens=3)
    assert (reply.adapter, reply.version, reply.digest) == (BASE, "", speaker.pool.host.files.fingerprint)
    assert reply.prompt_tokens < speaker.generate(TEXTS[0], "colours").prompt_tokens


def test_the_system_prompt_of_the_adapter_is_put_first_unless_the_caller_brings_one(speaker):
    bare = speaker.generate(TEXTS[0], "colours")
    same = speaker.generate([{"role": "system", "content": "Name the colour."}, {"role": "user", "content": TEXTS[0]}], "colours")
    own = speaker.generate([{"role": "system", "content": "Be"}, {"role": "user", "content": TEXTS[0]}], "colours")
    assert bare == same
    assert own.prompt_tokens < bare.prompt_tokens


def test_an_answer_is_cut_at_the_limit_and_says_so(speaker):
    reply = speaker.generate("one two", max_new_tokens=2)
    assert reply.answer_tokens == 2
    assert not reply.stopped


def test_sampling_with_a_seed_gives_the_same_answer_and_greedy_is_always_the_same(speaker):
    seeded = [speaker.generate("one", max_new_tokens=8, temperature=1.5, seed=seed).text for seed in (1, 1, 2)]
    assert seeded[0] == seeded[1] != seeded[2]
    assert len({speaker.generate("one", max_new_tokens=8).text for _ in range(3)}) == 1


@pytest.mark.parametrize("adapter", [BASE, "colours", "shy"])
def test_the_pieces_of_a_stream_join_to_the_answer(speaker, adapter):
    pieces = []
    reply = speaker.generate("one bird", adapter, max_new_tokens=24, on_text=pieces.append)
    assert "".join(pieces).strip().rstrip("\ufffd") == reply.text.rstrip("\ufffd")
    assert all("\ufffd" not in piece for piece in pieces[:1])


def test_a_character_of_several_tokens_is_held_back_until_it_is_whole():
    seen = []
    stream = _TextStream(lambda ids: bytes(ids).decode("utf-8", "replace"), seen.append)
    for byte in "a€b".encode():
        stream.token(0, byte)
    assert "".join(seen) == "a€b"
    assert seen == ["a", "€", "b"]


def test_classify_by_the_likelihood_of_each_label(speaker):
    found = speaker.classify(TEXTS, "colours")
    assert [one.label for one in found] == ["red", "blue", "green"]
    assert all(1 / 3 < one.probability <= 1 for one in found)


def test_classify_with_a_head_agrees_with_the_labels_of_the_adapter(reader):
    found = reader.classify(TEXTS, "words")
    assert {one.label for one in found} <= {"red", "green", "blue"}
    assert all(1 / 3 <= one.probability <= 1 for one in found)


def test_many_texts_at_once_are_what_each_is_alone(speaker, reader):
    for assistant, adapter in ((speaker, "colours"), (reader, "words")):
        together = assistant.classify(TEXTS, adapter)
        alone = [assistant.classify([text], adapter)[0] for text in TEXTS]
        assert [one.label for one in together] == [one.label for one in alone]
        assert [one.probability for one in together] == pytest.approx([one.probability for one in alone], abs=1e-4)


def test_no_texts_have_no_labels(speaker):
    assert speaker.classify([], "colours") == []


def test_the_base_knows_no_labels(speaker):
    with pytest.raises(AdapterError, match="base knows no labels"):
        speaker.classify(TEXTS, BASE)


@pytest.mark.parametrize("adapter", ["words", BASE])
def test_an_encoder_does_not_generate(reader, adapter):
    with pytest.raises(AdapterError, match="does not generate text"):
        reader.generate("hello", adapter)


def test_F23_an_unknown_adapter_is_refused_before_the_base_is_loaded(tiny_causal):
    assistant = Assistant.open(trained_by_text(tiny_causal))
    for ask in (lambda: assistant.generate("x", "colour"), lambda: assistant.classify(["x"], "colour")):
        with pytest.raises(AdapterNotFound, match="no adapter called"):
            ask()
    assert "pool" not in vars(assistant)


@pytest.mark.parametrize("turns", [[], [{"role": "robot", "content": "x"}], [{"role": "user", "content": None}]])
def test_what_is_no_conversation_is_refused(speaker, turns):
    with pytest.raises(TemplateError):
        speaker.generate(turns)


def test_a_base_beside_the_project_is_found_from_any_folder(tiny_causal, tmp_path, monkeypatch):
    import shutil

    root = copy_of(trained_by_text(tiny_causal), tmp_path)
    config = (root / "hatrack.yaml").read_text()
    base = config.split("base: ")[1].split("\n")[0]
    shutil.copytree(base, root / "model")
    (root / "hatrack.yaml").write_text(config.replace(base, "./model"))
    monkeypatch.chdir(tmp_path)
    assert Assistant.open("copy").generate(TEXTS[0], "colours").text == "red"


def test_F25_eight_threads_that_ask_different_adapters_each_get_what_they_would_get_alone(speaker):
    asked = [(name, text) for name in (BASE, "colours", "shy") for text in TEXTS]
    alone = {(name, text): speaker.generate(text, name, max_new_tokens=6).text for name, text in asked}
    labels = {(name, text): speaker.classify([text], name)[0].label for name, text in asked if name != BASE}
    wrong = []
    start = threading.Barrier(8)

    def ask(number):
        start.wait()
        for i in range(12):
            name, text = asked[(number * 5 + i) % len(asked)]
            if speaker.generate(text, name, max_new_tokens=6).text != alone[name, text]:
                wrong.append((name, text))
            if name != BASE and speaker.classify([text], name)[0].label != labels[name, text]:
                wrong.append((name, text, "label"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(set(alone.values())) > 3
