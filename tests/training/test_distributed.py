"""Several processes train what one would: the same losses, the same adapter; one of them writes and speaks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial

import pytest
import torch

from divided_training import CONFIGS, assert_same_training, one_and_several, result
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hatrack.training.checkpoint import latest_sealed
from launched import end_at, together
from tiny_training import run_folder


@pytest.fixture
def projects(make_project):
    """``projects(case)``: what one process trains of a case, and a project for several to train the same."""
    return partial(one_and_several, make_project)


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
