"""Loss and gradients are those of the plain path, whatever is switched on."""

from __future__ import annotations

import pytest
import torch

from conftest import label_rows
from hatrack.core.config_train import FastSettings
from hatrack.training.fast.choose import accelerate
from hatrack.training.fast.products import available
from hatrack.training.methods.lora.method import Lora
from hatrack.training.methods.lora.options import LoraOptions
from hatrack.training.objectives.base import OBJECTIVES
from tiny_training import open_pieces

OFF = {"prefix_cache": "off", "packing": "off", "label_only": "off", "fused": "off", "onednn": "off"}
ALONE = [
    {"prefix_cache": "auto"},
    {"packing": "auto"},
    {"packing": "auto", "label_only": "auto"},
    {"label_only": "auto"},
    {"fused": "auto"},
    {"onednn": "auto"},
    {"fused": "auto", "onednn": "auto"},
    {"label_only": "auto", "onednn": "auto"},
]
ALL = {"prefix_cache": "auto", "packing": "auto", "label_only": "auto", "fused": "auto", "onednn": "auto"}
PRODUCTS = ", products by oneDNN" if available() else ""
ROWS = label_rows(40, ("red", "green as the river and the tree", "blue"))


def trainee_of(make_project, task, folder, last_layers, fast):
    """A trainee whose adapter acts, with the accelerations of ``fast``, and what was found."""
    keys = {"system": "Name the colour."} if task == "classify-by-text" else {}
    settings = {"fast": {**OFF, **fast}, "base_dropout": "off", "max_length": 128}
    pieces = open_pieces(make_project(task, ROWS, folder=folder, train=settings, **keys))
    base = pieces.base()
    for module in base.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    kind = "causal" if task == "classify-by-text" else "encoder"
    torch.manual_seed(3)
    adapted, _ = Lora().apply(base, LoraOptions(r=4, last_layers=last_layers), kind)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    objective = OBJECTIVES.get(task)()
    train, validation = objective.items(pieces.prepared, pieces.config, pieces.files)
    trainee = objective.trainee(base, adapted, pieces.prepared, pieces.config, train)
    found = accelerate(
        trainee,
        base,
        adapted,
        [*train, *validation],
        lambda items: objective.collate(items, 3),
        FastSettings(**{**OFF, **fast}),
        pieces.runs,
        pieces.files.fingerprint,
    )
    return trainee, [objective.collate(rows, 3) for rows in (train[:9], validation, train[:1], train[5:7])], found


def loss_and_gradients(trainee, batch):
    trainee.zero_grad()
    loss = trainee(**{key: value for key, value in batch.items() if key != "rows"})
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in trainee.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("last_layers", [1, 2])
@pytest.mark.parametrize("fast", [*ALONE, ALL], ids=str)
@pytest.mark.parametrize("task", ["classify-by-text", "classify"])
def test_loss_and_gradients_are_those_of_the_plain_path(make_project, task, fast, last_layers, training):
    plain, batches, _ = trainee_of(make_project, task, "plain", last_layers, {})
    quick, _, found = trainee_of(make_project, task, "quick", last_layers, fast)
    assert not found.left
    plain.train(training)
    quick.train(training)
    for batch in batches:
        expected, gradients = loss_and_gradients(plain, batch)
        loss, fast_gradients = loss_and_gradients(quick, batch)
        assert loss == pytest.approx(expected, rel=1e-5)
        assert gradients.keys() == fast_gradients.keys()
        for name, gradient in gradients.items():
            assert gradient.abs().max() > 0, f"{name} is not trained"
            assert (gradient - fast_gradients[name]).norm() <= 1e-5 * gradient.norm(), name


def test_what_is_used_is_said(make_project):
    _, _, found = trainee_of(make_project, "classify-by-text", "it", 1, ALL)
    assert str(found).startswith(
        "no padding, 2 of 3 blocks computed once (0 MB on disk), last block at labels only, adapters fused, blocks fused"
        + (PRODUCTS and PRODUCTS + ", loss in one pass over the head")
    )
    _, _, found = trainee_of(make_project, "classify", "other", 1, ALL)
    assert str(found).startswith("no padding, 1 of 2 blocks computed once (0 MB on disk), adapters fused" + PRODUCTS)


def test_a_model_that_will_be_moved_to_a_gpu_keeps_its_own_products(make_project, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    trainee, _, found = trainee_of(make_project, "classify-by-text", "it", 1, ALL)
    assert str(found) == "no padding, 2 of 3 blocks computed once (0 MB on disk), last block at labels only"
    assert not [name for name, module in trainee.named_modules() if "forward" in vars(module)]
