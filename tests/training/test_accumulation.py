"""F13: equivalent settings give the same trajectory."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from conftest import label_rows
from hatrack.training.curves import read_events
from tiny_training import run_folder, train


@pytest.fixture
def calm_encoder(tiny_encoder, tmp_path):
    """Without dropout: its masks cannot be the same for one batch of eight and eight of one."""
    folder = shutil.copytree(tiny_encoder, tmp_path / "calm")
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def trajectory(project):
    trained = train(project)
    events = [event for event in read_events(run_folder(project)) if "loss" in event]
    return [event["loss"] for event in events], load_file(trained.folder / "adapter_model.safetensors")


# answers of very unequal length, so that a mean of means would differ from the mean
ROWS = label_rows(50, ("red", "green as the river and the tree and the stone of the bird", "blue"))


@pytest.mark.parametrize("task", ["classify-by-text", "classify"])
@pytest.mark.parametrize(("batch", "accumulation", "last_layers"), [(1, 8, None), (4, 2, None), (3, 3, None), (1, 8, 1)])
def test_F13_one_large_batch_equals_many_small_ones(make_project, calm_encoder, tiny_causal, task, batch, accumulation, last_layers):
    base = calm_encoder if task == "classify" else tiny_causal
    common = {"epochs": 2, "learning_rate": 0.003, "max_length": 128}
    sizes = [(batch * accumulation, 1), (batch, accumulation)]
    results = []
    for folder, (size, times) in zip(("large", "small"), sizes, strict=True):
        settings = {**common, "batch_size": size, "accumulation": times}
        results.append(trajectory(make_project(task, ROWS, folder=folder, base=base, train=settings, last_layers=last_layers)))
    (large, large_weights), (small, small_weights) = results
    assert len(large) == len(small) > 8
    assert large == pytest.approx(small, abs=1e-5)
    assert max(large) - min(large) > 1e-3, "nothing was learned, so nothing could differ"
    for name, tensor in large_weights.items():
        assert torch.allclose(tensor, small_weights[name], atol=1e-4), name
