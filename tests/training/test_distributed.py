"""Several processes train what one would: the same losses, the same adapter; one of them writes and speaks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from conftest import label_rows
from hatrack.core.project import Project
from hatrack.core.run_folder import read_events
from hatrack.registry.store import Registry
from hatrack.training.checkpoint import latest_sealed
from launched import end_at, together
from tiny_training import run_folder, train_and_register

CONFIGS = Path(__file__).resolve().parents[2] / "examples" / "accelerate"
# answers of very unequal length, so that a mean of means would differ from the mean; 41 training rows
ROWS = label_rows(52, ("red", "green as the river and the tree and the stone of the bird", "blue"))
RUN = {"epochs": 2, "learning_rate": 0.003, "max_length": 128, "base_dropout": "off"}
CASES = {
    # each process makes half of the passes of a step; the main one computes the frozen blocks
    "causal": ("classify-by-text", {"batch_size": 3, "accumulation": 4}, {"last_layers": 1}),
    # each process takes half of the rows of a pass; the last step of an epoch has one row, so one process has none
    "encoder": ("classify", {"batch_size": 10, "label_smoothing": 0.1, "ema": 0.9}, {}),
}
TRAINED = {}  # by case: what one process made of it


@pytest.fixture
def projects(make_project):
    """``projects(case)``: what one process trains of a case, and a project for several to train the same."""

    def make(case):
        task, train, keys = CASES[case]
        one, several = (make_project(task, ROWS, folder=folder, train={**RUN, **train}, **keys) for folder in ("one", "several"))
        if case not in TRAINED:
            train_and_register(one)
            TRAINED[case] = result(one)
        return TRAINED[case], several

    return make


def result(project, name="first"):
    """Every logged loss, and the weights of the newest version."""
    registry = Registry(Project(project))
    manifest = registry.resolve(f"{name}@latest")
    events = [(event["step"], event.get("loss", event.get("eval_loss"))) for event in read_events(run_folder(project, name))]
    return events, load_file(registry.folder(manifest) / "adapter_model.safetensors"), manifest


def assert_same_training(one, several):
    (losses, weights, _), (losses_of_several, weights_of_several, _) = one, several
    assert [step for step, _ in losses] == [step for step, _ in losses_of_several]
    values = [loss for _, loss in losses]
    assert values == pytest.approx([loss for _, loss in losses_of_several], abs=1e-5)
    assert max(values) - min(values) > 1e-3, "nothing was learned, so nothing could differ"
    assert weights.keys() == weights_of_several.keys()
    for name, tensor in weights.items():
        assert torch.allclose(tensor, weights_of_several[name], atol=1e-4), name


def test_accelerate_launch_trains_what_one_process_does(projects):
    one, several = projects("causal")
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(CONFIGS / "ddp.yaml")]
    ran = subprocess.run(
        [*launch, "--main_process_port", "0", "-m", "hatrack", "train", "--json", "--project", str(several)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    [manifest] = json.loads(ran.stdout)
    assert manifest["training"]["processes"] == 2
    assert ran.stderr.count("2 processes, each with 6 of the 12 rows of a step in 2 passes\n") == 1
    assert ran.stderr.count("first: fast: no padding, 2 of 3 blocks computed once") == 1
    assert len(Registry(Project(several)).versions("first")) == 1
    assert_same_training(one, result(several))


def test_F13_an_encoder_too_though_one_process_has_no_row_in_the_last_step(projects, tmp_path):
    one, several = projects("encoder")
    ran = together(tmp_path / "said", "train", project=several)
    assert [process.code for process in ran] == [0, 0], ran
    assert ran[1].out + ran[1].err == ""
    assert_same_training(one, result(several))


def as_if_gpus(rank):
    """accelerate knows FSDP on GPUs alone; told that these processes are some, it divides the weights over gloo."""
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    torch.distributed.init_process_group("gloo")
    PartialState._prepare_backend = lambda self, *args: ("gloo", DistributedType.MULTI_GPU)


def settings_of(name):
    """What `accelerate launch` would put into the environment for a config of examples/accelerate."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_multi_gpu_env

    arguments = launch_command_parser().parse_args(["--config_file", str(CONFIGS / name), "-m", "hatrack"])
    environment = prepare_multi_gpu_env(_validate_launch_command(arguments)[0])
    changed = {key: value for key, value in environment.items() if os.environ.get(key) != value and key != "WORLD_SIZE"}
    return {**changed, "ACCELERATE_TORCH_DEVICE": "cpu"}


def as_if_gpus_and_asked_to_end(rank):
    as_if_gpus(rank)
    end_at(9, rank, signal.SIGTERM)


def test_F13_divided_weights_train_the_same(projects, tmp_path):
    one, several = projects("causal")
    ran = together(tmp_path / "said", "train", project=several, cue=as_if_gpus, **settings_of("fsdp.yaml"))
    assert [process.code for process in ran] == [0, 0], ran
    assert "the plain path; no other is possible: FSDP or DeepSpeed must see every block" in ran[0].err
    assert_same_training(one, result(several))


def test_F12_divided_weights_go_on_where_they_were(projects, tmp_path):
    one, several = projects("encoder")
    given = settings_of("fsdp.yaml")
    ran = together(tmp_path / "first", "train", project=several, cue=as_if_gpus_and_asked_to_end, **given)
    assert [process.code for process in ran] == [130, 130], ran
    assert latest_sealed(run_folder(several)).name == "checkpoint-9"
    ran = together(tmp_path / "again", "train", project=several, cue=as_if_gpus, **given)
    assert [process.code for process in ran] == [0, 0], ran
    assert_same_training(one, result(several))
