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


def launch(project, end_at):
    """``hatrack train`` in two processes on the config that is shipped, asked to end as a step begins; 0: not asked."""
    found = [SITE, str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(CONFIGS / "deepspeed.yaml")]
    command = ["--main_process_port", "0", "-m", "launched_deepspeed", str(end_at), "train", "--project", str(project)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(found), "DS_ACCELERATOR": "cpu"}
    return subprocess.run([*launcher, *command], capture_output=True, text=True, env=environment, timeout=300, check=False)


def test_F12_divided_gradients_train_the_same_and_go_on_where_they_were(make_project):
    one, several = one_and_several(make_project, "encoder")
    ran = launch(several, 9)
    assert ran.returncode != 0, ran.stderr
    assert "the plain path; no other is possible: FSDP or DeepSpeed must see every block" in ran.stderr
    assert latest_sealed(run_folder(several)).name == "checkpoint-9"
    ran = launch(several, 0)
    assert ran.returncode == 0, ran.stderr
    several = result(several)
    assert several[2].training["processes"] == 2
    assert_same_training(one, several)
