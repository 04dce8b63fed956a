"""What one process trains and what several make of the same project, and whether that is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from conftest import label_rows
from hatrack.core.project import Project
from hatrack.core.run_folder import read_events
from hatrack.registry.store import Registry
from tiny_training import run_folder, train_and_register

__all__ = ["CONFIGS", "assert_same_training", "one_and_several", "result"]

CONFIGS = Path(__file__).resolve().parents[1] / "examples" / "accelerate"
# answers of very unequal length, so that a mean of means would differ from the mean; 41 training rows
_ROWS = label_rows(52, ("red", "green as the river and the tree and the stone of the bird", "blue"))
_RUN = {"epochs": 2, "learning_rate": 0.003, "max_length": 128, "base_dropout": "off"}
_CASES = {
    # each process makes half of the passes of a step; the main one computes the frozen blocks
    "causal": ("classify-by-text", {"batch_size": 3, "accumulation": 4}, {"last_layers": 1}),
    # each process takes half of the rows of a pass; the last step of an epoch has one row, so one process has none
    "encoder": ("classify", {"batch_size": 10, "label_smoothing": 0.1, "ema": 0.9}, {}),
}
_TRAINED: dict[str, Any] = {}  # by case: what one process made of it


def one_and_several(make_project: Callable[..., Path], case: str) -> tuple[Any, Path]:
    """What one process trains of a case, and a project for several to train the same."""
    task, train, keys = _CASES[case]
    one, several = (make_project(task, _ROWS, folder=folder, train={**_RUN, **train}, **keys) for folder in ("one", "several"))
    if case not in _TRAINED:
        train_and_register(one)
        _TRAINED[case] = result(one)
    return _TRAINED[case], several


def result(project: Path, name: str = "first") -> Any:
    """Every logged loss, and the weights of the newest version."""
    registry = Registry(Project(project))
    manifest = registry.resolve(f"{name}@latest")
    events = [(event["step"], event.get("loss", event.get("eval_loss"))) for event in read_events(run_folder(project, name))]
    return events, load_file(registry.folder(manifest) / "adapter_model.safetensors"), manifest


def assert_same_training(one: Any, several: Any) -> None:
    """Losses to 1e-5, weights to 1e-4."""
    (losses, weights, _), (losses_of_several, weights_of_several, _) = one, several
    assert [step for step, _ in losses] == [step for step, _ in losses_of_several]
    values = [loss for _, loss in losses]
    for (step, mine), (_, theirs) in zip(losses, losses_of_several, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-5), f"step {step}"
    assert max(values) - min(values) > 1e-3, "nothing was learned, so nothing could differ"
    assert weights.keys() == weights_of_several.keys()
    for name, tensor in weights.items():
        assert torch.allclose(tensor, weights_of_several[name], atol=1e-4), name
