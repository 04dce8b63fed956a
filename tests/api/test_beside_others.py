"""A server beside other processes that compute on all cores: answers are slower, not a hundred times slower."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

import hatrack
from http_server import running

TRAINS = """
import torch
layers = [torch.nn.Linear(576, 576) for _ in range(20)]
print("begun", flush=True)
while True:
    x = torch.ones(240, 576)
    for layer in layers:
        x = torch.nn.functional.silu(layer(x))
    x.sum().backward()
"""


@pytest.fixture
def neighbours() -> Iterator[None]:
    """Two more processes with a thread for each core, which know nothing of ours."""
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    processes = [subprocess.Popen([sys.executable, "-c", TRAINS], stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_an_answer_beside_processes_that_train_takes_seconds_at_most(planted, neighbours):
    with running(planted) as server, server.client() as client:
        body = {"model": "a", "prompt": "go on", "max_tokens": 200}
        client.post("/v1/completions", json=body, timeout=100)
        begin = time.monotonic()
        for _ in range(3):
            assert client.post("/v1/completions", json=body, timeout=100).status_code == 200
        assert time.monotonic() - begin < 15, f"GOMP_SPINCOUNT is {os.environ.get('GOMP_SPINCOUNT')}"


def test_what_the_user_says_of_waiting_threads_is_left(tmp_path):
    def set_in(**given: str) -> str:
        environment = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")} | given
        code = "import hatrack, os; print(os.environ.get('GOMP_SPINCOUNT'))"
        return last_line(code, environment)

    def of_command(command: str, **given: str) -> str:
        environment = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")} | given
        lines = ["import atexit, os", "atexit.register(lambda: print(os.environ.get('GOMP_SPINCOUNT')))"]
        return last_line("\n".join([*lines, "from hatrack.cli.main import main", f"main([{command!r}, '--help'])"]), environment)

    def last_line(code: str, environment: dict[str, str]) -> str:
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout.split()[-1]

    assert hatrack.__version__
    assert set_in() == "1000"
    assert set_in(GOMP_SPINCOUNT="7") == "7"
    assert set_in(OMP_WAIT_POLICY="active") == "None"
    assert [of_command(command) for command in ("serve", "train")] == ["1000", "5000"]  # training waits for its next loop
    assert of_command("train", GOMP_SPINCOUNT="7") == "7"
    assert of_command("train", OMP_WAIT_POLICY="active") == "None"
