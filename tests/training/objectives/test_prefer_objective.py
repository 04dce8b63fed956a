"""Pairs as rows of the loop: what is compared, resume, and files that hold no pairs."""

from __future__ import annotations

import pytest
from safetensors.torch import load_file

from conftest import label_rows, write_jsonl
from hatrack.core.errors import DataFileError, RowErrors
from hatrack.training.progress import LiveBar
from tiny_training import open_pieces, run_folder, train_and_register

ROWS = [{"id": r["id"], "prompt": r["text"], "chosen": f"it is {r['label']}", "rejected": "one two three"} for r in label_rows(40)]


@pytest.mark.parametrize(("loss", "texts"), [("dpo", 2), ("orpo", 2), ("kto", 3)])
def test_a_row_is_a_prompt_with_both_answers_and_for_kto_a_foreign_one(make_project, loss, texts):
    pieces = open_pieces(make_project("prefer", ROWS, preference={"loss": loss}))
    renderer_rows = pieces.prepared.splits.train
    items, _ = pieces.items()
    decode = pieces.files.tokenizer.decode
    for item, example in zip(items, renderer_rows, strict=True):
        assert len(item.texts) == texts
        assert len({text.prompt for text in item.texts}) == 1
        answers = [decode(text.ids[len(text.prompt) :], skip_special_tokens=True).strip() for text in item.texts]
        assert answers[:2] == [example.messages[-1].content, example.rejected]
    if loss == "kto":
        own = [item.texts[0].ids for item in items]
        assert any(item.texts[2].ids not in own for item in items), "the third answer belongs to another prompt"


@pytest.mark.parametrize("loss", ["dpo", "kto"])
def test_F12_a_run_that_was_stopped_and_resumed_has_the_weights_of_one_that_was_not(make_project, monkeypatch, loss):
    train = {"epochs": 2, "batch_size": 8, "evals_per_epoch": 2, "patience": 9, "learning_rate": 0.01}
    projects = [make_project("prefer", ROWS, folder=f, train=train, preference={"loss": loss}) for f in ("whole", "stopped")]
    whole = train_and_register(projects[0])

    class Stopped(BaseException):
        pass

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 5:
            raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(LiveBar, "on_step_end", on_step_end)
        with pytest.raises(Stopped):
            train_and_register(projects[1])
    assert list(run_folder(projects[1]).glob("checkpoint-*"))
    assert train_and_register(projects[1]).digest == whole.digest
    weights = [load_file(run_folder(p) / "adapter" / "adapter_model.safetensors") for p in projects]
    assert all((weights[0][key] == weights[1][key]).all() for key in weights[0])


def test_a_file_without_a_worse_answer_is_refused_with_the_nearest_column(make_project):
    rows = [{"id": r["id"], "prompt": r["prompt"], "chosen": r["chosen"], "reject": r["rejected"]} for r in ROWS]
    with pytest.raises(DataFileError) as refused:
        open_pieces(make_project("prefer", rows))
    assert "columns: {rejected: reject}" in refused.value.fix


def test_a_pair_of_equal_answers_teaches_nothing_and_is_a_numbered_error(make_project):
    root = make_project("prefer", ROWS)
    write_jsonl(root / "data.jsonl", [*ROWS, {"id": "same", "prompt": "red?", "chosen": "it is red", "rejected": "it is red "}])
    with pytest.raises(RowErrors) as refused:
        open_pieces(root)
    assert refused.value.rows[0][0] == 41
    assert "same answer" in refused.value.rows[0][1]
