"""DeepSpeed, which divides gradients and the optimizer's state: two processes train what one does.

It lies beside the environment, for these processes alone: where it is importable, transformers and accelerate load it always.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from divided_training import CONFIGS, assert_same_training, one_and_several, result
from hatrack.training.checkpoint import latest_sealed
from tiny_training import run_folder

TESTS = Path(__file__).resolve().parents[1]
SITE = os.environ.get("HATRACK_DEEPSPEED", "")
pytestmark = pytest.mark.skipif(not Path(SITE, "deepspeed").is_dir(), reason="DeepSpeed is not here; make test puts it into .venv/.hatrack")


def launch(project, *module):
    """``hatrack train`` by way of a module, in two processes, on the config that is shipped."""
    found = [SITE, str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    config = ["--config_file", str(CONFIGS / "deepspeed.yaml"), "--main_process_port", "0"]
    return subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", *config, "-m", *module, "train", "--project", str(project)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(found), "DS_ACCELERATOR": "cpu"},
        timeout=300,
        check=False,
    )


def test_F13_divided_gradients_train_the_same(make_project):
    one, several = one_and_several(make_project, "causal")
    ran = launch(several, "hatrack")
    assert ran.returncode == 0, ran.stderr
    several = result(several)
    assert several[2].training["processes"] == 2
    assert "the plain path; no other is possible: FSDP or DeepSpeed must see every block" in ran.stderr
    assert_same_training(one, several)


def test_F12_divided_gradients_go_on_where_they_were(make_project):
    one, several = one_and_several(make_project, "encoder")
    ran = launch(several, "launched", "9")
    assert ran.returncode != 0, ran.stderr
    assert latest_sealed(run_folder(several)).name == "checkpoint-9"
    ran = launch(several, "hatrack")
    assert ran.returncode == 0, ran.stderr
    assert_same_training(one, result(several))
