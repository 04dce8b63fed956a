"""A moving average of the weights: what it is, and that it is what is validated and kept."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import TrainingError
from hatrack.training.average import MovingAverage
from hatrack.training.identity import behaviour
from hatrack.training.weights import trained
from tiny_training import events_of, open_pieces, train, validation_loss

RUN = {"epochs": 2, "batch_size": 8, "evals_per_epoch": 2, "patience": 9}


def step(average, model, number):
    average.on_step_end(None, SimpleNamespace(global_step=number), None, model=model)


def test_every_step_moves_the_average_by_its_share():
    model = nn.Linear(2, 1, bias=False)
    model.weight.data = torch.tensor([[1.0, 2.0]])
    average = MovingAverage(0.5)
    average.on_train_begin(None, None, None, model=model)
    model.weight.data = torch.tensor([[3.0, 2.0]])
    step(average, model, 1)  # (1 + 1) / (10 + 1) of the old
    first = 2 / 11 * 1 + 9 / 11 * 3
    with average.in_use(model):
        assert model.weight.tolist() == [[pytest.approx(first), 2.0]]
    model.weight.data = torch.tensor([[0.0, 2.0]])
    step(average, model, 1000)  # the decay bounds it
    with average.in_use(model):
        assert model.weight.tolist() == [[pytest.approx(0.5 * first), 2.0]]


def test_training_goes_on_with_the_newest_weights_also_after_a_fault():
    model = nn.Linear(3, 3)
    average = MovingAverage(0.9)
    average.on_train_begin(None, None, None, model=model)
    newest = {name: nn.init.normal_(parameter).detach().clone() for name, parameter in trained(model)}
    with average.in_use(model):
        assert not any(torch.equal(parameter, newest[name]) for name, parameter in trained(model))
    assert all(torch.equal(parameter, newest[name]) for name, parameter in trained(model))
    with contextlib.suppress(KeyError), average.in_use(model):
        raise KeyError
    assert all(torch.equal(parameter, newest[name]) for name, parameter in trained(model))


def test_without_a_decay_nothing_is_kept_or_written(tmp_path):
    model = nn.Linear(2, 2)
    average = MovingAverage(0)
    average.on_train_begin(None, None, None, model=model)
    step(average, model, 1)
    average.write(tmp_path, write=True)
    average.resume(model, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("task", ["classify", "classify-by-text"])
def test_the_average_is_validated_and_kept(make_project, task):
    pieces = open_pieces(make_project(task, train={**RUN, "ema": 0.9, "learning_rate": 0.05}))
    version = pieces.train()
    losses = [event["eval_loss"] for event in events_of(version.run) if "eval_loss" in event]
    assert validation_loss(pieces, version) == pytest.approx(min(losses), rel=1e-4)
    plain = train(make_project(task, folder="plain", train={**RUN, "learning_rate": 0.05}))
    other = [event["eval_loss"] for event in events_of(plain.run) if "eval_loss" in event]
    assert all(abs(a - b) > 1e-4 for a, b in zip(losses, other, strict=True))
    steps = [[event["loss"] for event in events_of(one.run) if "loss" in event] for one in (version, plain)]
    assert steps[0] == steps[1], "training itself is the same"


def test_a_run_without_it_is_the_run_it_was_before_there_was_such_a_key():
    def acts(ema):
        config = AdapterConfig.model_validate({"data": "d.jsonl", "task": "classify", "train": {"ema": ema}})
        return behaviour(config, ["a"], 1e-3, {})["train"]

    assert "ema" not in acts(0)
    assert acts(0.9) == {**acts(0), "ema": 0.9}


def test_a_method_that_leaves_directions_out_is_not_averaged(make_project):
    project = make_project("classify", train={"ema": 0.99})
    path = project / "hatrack.yaml"
    path.write_text(path.read_text().replace("r: 4\n    alpha: 8", "method: adalora"))
    with pytest.raises(TrainingError, match="adalora cannot be averaged") as refused:
        train(project)
    assert "leave out train.ema" in refused.value.fix
