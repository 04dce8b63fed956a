"""What every objective promises; a new one is tested here by being in the table."""

from __future__ import annotations

import pytest
import torch

from conftest import label_rows
from hatrack.core.errors import TrainingError
from hatrack.training.methods.lora.method import Lora
from hatrack.training.methods.lora.options import LoraOptions
from hatrack.training.objectives.base import IGNORED, OBJECTIVES
from tiny_training import open_pieces

every_objective = pytest.mark.parametrize("task", OBJECTIVES.names())


def rows_for(task):
    rows = label_rows(60)
    if task == "instruct":
        return [{"id": row["id"], "prompt": row["text"], "response": f"it is {row['label']}"} for row in rows]
    if task == "prefer":
        return [{"id": row["id"], "prompt": row["text"], "chosen": f"it is {row['label']}", "rejected": "one two"} for row in rows]
    return rows


@pytest.fixture
def pieces(make_project, tiny_causal, tiny_encoder):
    def make(task, **keys):
        base = tiny_encoder if OBJECTIVES.get(task)().kind == "encoder" else tiny_causal
        return open_pieces(make_project(task, rows_for(task), **{"base": base, **keys}))

    return make


def trainee_of(pieces):
    base = pieces.base()
    torch.manual_seed(0)
    adapted, _ = Lora().apply(base, LoraOptions(r=4), pieces.files.kind)
    items, _ = pieces.items()
    objective = OBJECTIVES.get(pieces.config.task)()
    trainee = objective.trainee(base, adapted, pieces.prepared, pieces.config, items)
    return objective, trainee, trainee.begin(items)


def batch_of(objective, items):
    batch = objective.collate(items, 0)
    batch.pop("rows")
    return batch


@every_objective
def test_every_row_becomes_one_item_with_its_number_and_something_to_learn(pieces, task):
    made = pieces(task)
    for items, examples in zip(made.items(), (made.prepared.splits.train, made.prepared.splits.validation), strict=True):
        assert [item.row for item in items] == [example.row for example in examples]
        assert all(item.counted >= 1 and item.ids for item in items)
        assert all(len(item.labels) in (1, len(item.ids)) for item in items)
        assert all(item.ids in item.sequences for item in items)
    assert made.items() == made.items()


@every_objective
def test_a_batch_is_padded_and_says_what_is_real(pieces, task):
    objective, _, items = trainee_of(pieces(task))
    chosen = sorted(items, key=lambda item: len(item.ids))[:: len(items) // 4]
    batch = objective.collate(chosen, 7)
    assert set(batch) >= {"input_ids", "attention_mask", "labels", "rows"}
    assert batch["rows"].tolist() == [item.row for item in chosen]
    for i, item in enumerate(chosen):
        size = len(item.ids)
        assert batch["input_ids"][i].tolist() == [*item.ids, *[7] * (batch["input_ids"].shape[1] - size)]
        assert batch["attention_mask"][i].sum() == size
    assert int((batch["labels"] != IGNORED).sum()) == sum(item.counted for item in chosen)


@every_objective
def test_F13_the_loss_is_a_sum_over_rows_whatever_their_company(pieces, task):
    objective, trainee, items = trainee_of(pieces(task))
    trainee.eval()
    with torch.no_grad():
        alone = sum(float(trainee(**batch_of(objective, [item]))) for item in items[:7])
        together = float(trainee(**batch_of(objective, items[:7])))
    assert together == pytest.approx(alone, rel=1e-4)


@every_objective
def test_gradients_reach_the_adapter_and_only_it(pieces, task):
    objective, trainee, items = trainee_of(pieces(task))
    trainee(**batch_of(objective, items[:8])).backward()
    reached = {name for name, p in trainee.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert all("lora_" in name or name.startswith("head") for name in reached)
    # lora_A waits for lora_B, which starts at zero
    assert {name for name, _ in trainee.named_parameters() if "lora_B" in name} <= reached


@every_objective
def test_F12_the_same_rows_give_the_same_loss(pieces, task):
    made = pieces(task)
    losses = []
    for _ in range(2):
        objective, trainee, items = trainee_of(made)
        losses.append(float(trainee.eval()(**batch_of(objective, items)).detach()))
    assert losses[0] == losses[1] > 0


@every_objective
def test_a_base_of_the_other_kind_is_a_clear_refusal(pieces, task, tiny_causal, tiny_encoder):
    other = tiny_causal if OBJECTIVES.get(task)().kind == "encoder" else tiny_encoder
    with pytest.raises(TrainingError, match=f"task {task} needs"):
        pieces(task, base=other).train()


@every_objective
def test_the_whole_way_lowers_the_validation_loss(pieces, task):
    from hatrack.training.curves import read_events

    trained = pieces(task, train={"epochs": 4, "learning_rate": 0.01, "patience": 9}).train()
    losses = [event["eval_loss"] for event in read_events(trained.run) if "eval_loss" in event]
    assert min(losses[1:]) < losses[0]  # the best is what is kept
