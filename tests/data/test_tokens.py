"""F01, F02, F04, F07: what a causal base will be trained on is looked at token by token before any training."""

from __future__ import annotations

import pytest

from conftest import CHATML, label_rows, make_tokenizer, write_jsonl
from hatrack.core.chat import Message
from hatrack.core.config import AdapterConfig
from hatrack.core.errors import CheckFailed, RowErrors
from hatrack.data.prepare import prepare
from hatrack.data.records import Example
from hatrack.data.tokens import conversation, render_examples
from hatrack.models.render import ChatRenderer, Rendered


@pytest.fixture(scope="module")
def renderer():
    return ChatRenderer(make_tokenizer())


def config(task="classify-by-text", **keys) -> AdapterConfig:
    return AdapterConfig.model_validate({"data": "d.jsonl", "task": task, **keys})


def chat(row: int, *pairs: tuple[str, str]) -> Example:
    return Example(row, f"r{row}", "?", messages=tuple(Message(role, text) for role, text in pairs))


def texts(renderer, rendered: Rendered) -> str:
    return renderer._tokenizer.decode([token for token, kept in zip(rendered.ids, rendered.mask, strict=True) if kept])


def test_a_label_becomes_the_assistants_turn_behind_the_system_prompt():
    example = Example(1, "r1", "some text", label="red")
    assert [(m.role, m.content) for m in conversation(example, config(system="Name it."))] == [
        ("system", "Name it."),
        ("user", "some text"),
        ("assistant", "red"),
    ]
    assert [m.role for m in conversation(example, config())] == ["user", "assistant"]


def test_F04_every_assistant_turn_is_trained_unless_asked_otherwise(renderer):
    example = chat(1, ("user", "one"), ("assistant", "red"), ("user", "two"), ("assistant", "blue"))
    (every,) = render_examples([example], config("instruct"), renderer)
    assert texts(renderer, every) == "red<|im_end|>blue<|im_end|>"
    (last,) = render_examples([example], config("instruct", train={"last_turn_only": True}), renderer)
    assert texts(renderer, last) == "blue<|im_end|>"
    assert last.ids == every.ids


def test_F01_a_template_without_a_stop_token_is_refused_before_training():
    silent = ChatRenderer(make_tokenizer(CHATML.replace("{{ m['content'] }}<|im_end|>", "{{ m['content'] }}")))
    with pytest.raises(RowErrors, match="2 of 2 rows cannot be trained on") as refused:
        render_examples([chat(row, ("user", "a"), ("assistant", "b")) for row in (3, 8)], config("instruct"), silent)
    assert "row 3: the answer in message 2 does not end in a stop token" in str(refused.value)
    assert [row for row, _ in refused.value.rows] == [3, 8]


class Careless:
    """A renderer with the faults of others; only the check stands between it and training."""

    def __init__(self, real: ChatRenderer, spoil) -> None:
        self.stop_ids = real.stop_ids
        self.example = lambda *args, **keys: spoil(real.example(*args, **keys))


def test_F02_a_row_without_a_trained_token_is_refused_with_its_number(renderer):
    careless = Careless(renderer, lambda one: Rendered(one.ids, (False,) * len(one.ids)))
    with pytest.raises(RowErrors, match="row 7: no token of this row is trained; its loss would be 0"):
        render_examples([chat(7, ("user", "a"), ("assistant", "b"))], config("instruct"), careless)


def test_F01_a_row_whose_stop_token_is_masked_is_refused_with_its_number(renderer):
    def mask_stop(one):
        return Rendered(one.ids, tuple(kept and token not in renderer.stop_ids for token, kept in zip(one.ids, one.mask, strict=True)))

    with pytest.raises(RowErrors, match="row 7: the last trained token is no stop token"):
        render_examples([chat(7, ("user", "a"), ("assistant", "b"))], config("instruct"), Careless(renderer, mask_stop))


def test_F02_a_row_that_teaches_only_to_stop_is_refused(renderer):
    with pytest.raises(RowErrors, match="row 7: only the stop token of this row is trained"):
        render_examples([chat(7, ("user", "a"), ("assistant", ""))], config("instruct"), renderer)


def test_F02_a_row_whose_answer_does_not_fit_is_refused_and_not_cut(renderer):
    example = chat(7, ("user", "a"), ("assistant", "red " * 50))
    with pytest.raises(RowErrors, match="row 7: the conversation does not fit"):
        render_examples([example], config("instruct", train={"max_length": 32}), renderer)


def lengths(renderer, long: int, of: int = 100):
    rows = [Example(i, f"r{i}", "red " * (60 if i < long else 3), label="blue") for i in range(of)]
    return rows, config(train={"max_length": 48})


def test_F07_one_row_in_a_hundred_may_be_cut_and_two_may_not(renderer):
    rendered = render_examples(*lengths(renderer, 1), renderer)
    assert sum(one.shortened for one in rendered) == 1
    assert max(len(one.ids) for one in rendered) <= 48
    assert all(texts(renderer, one) == "blue<|im_end|>" for one in rendered)
    with pytest.raises(CheckFailed, match=r"2 of 100 rows are longer than train\.max_length") as refused:
        render_examples(*lengths(renderer, 2), renderer)
    assert "2.0% of the rows at max_length 48" in str(refused.value)


def test_F07_a_yes_in_the_config_lets_more_be_cut(renderer):
    rows, _ = lengths(renderer, 20)
    allowed = config(train={"max_length": 48}, checks={"max_truncated": 0.2})
    assert sum(one.shortened for one in render_examples(rows, allowed, renderer)) == 20


def test_rows_from_a_file_are_rendered_whole(tmp_path, renderer):
    write_jsonl(tmp_path / "d.jsonl", label_rows(30))
    prepared = prepare(config(), tmp_path)
    for example, one in zip(prepared.splits.train, render_examples(prepared.splits.train, config(), renderer), strict=True):
        assert texts(renderer, one) == example.label + "<|im_end|>"
        assert example.text in renderer._tokenizer.decode(one.ids)
