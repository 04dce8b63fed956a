from __future__ import annotations

import shutil

import pytest
import torch

from tiny_training import run_folder, train_and_register


def start_values(project):
    """The adapter's random start, of a run that has trained next to nothing."""
    from safetensors.torch import load_file

    [weights] = run_folder(project).glob("adapter/adapter_model.safetensors")
    return {name: tensor for name, tensor in load_file(weights).items() if "lora_A" in name}


@pytest.mark.parametrize("task", ["classify", "classify-by-text"])
def test_F11_two_projects_and_one_seed_give_one_digest_and_another_seed_another(make_project, task):
    digests = []
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        torch.manual_seed(len(digests))  # what was drawn before must not matter
        train = {"epochs": 1, "seed": seed}
        digests.append(train_and_register(make_project(task, folder=folder, train=train, dropout=0.1)).digest)
    assert digests[0] == digests[1] != digests[2]


def test_F11_the_seed_covers_the_start_values(make_project):
    starts = []
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        project = make_project("classify-by-text", folder=folder, train={"epochs": 0.1, "seed": seed, "learning_rate": 1e-12})
        train_and_register(project)
        starts.append(start_values(project))
    assert all(torch.equal(starts[0][name], starts[1][name]) for name in starts[0])
    assert not any(torch.allclose(starts[0][name], starts[2][name]) for name in starts[0])


def test_F11_the_path_of_the_base_is_no_part_of_the_digest(make_project, tiny_causal):
    digests = []
    for folder in ("a", "b"):
        project = make_project("classify-by-text", folder=folder, base="./model", train={"epochs": 0.2})
        shutil.copytree(tiny_causal, project / "model")
        digests.append(train_and_register(project).digest)
        assert str(project) not in (run_folder(project) / "adapter" / "adapter_config.json").read_text()
    assert digests[0] == digests[1]
