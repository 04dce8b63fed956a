from __future__ import annotations

import pytest

from hatrack.core.errors import TrainingError
from hatrack.core.world import World, world

LAUNCHED = {"WORLD_SIZE": "4", "RANK": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}


def test_without_a_launcher_there_is_one_process():
    assert world({}) == World(rank=0, size=1, local_size=1, address=None)
    assert world({"WORLD_SIZE": "1"}).main
    assert world({"MASTER_ADDR": "10.0.0.1"}).size == 1
    assert world({"OMPI_COMM_WORLD_SIZE": "1"}).size == 1


def test_what_a_launcher_says_is_taken():
    found = world(LAUNCHED)
    assert found == World(rank=2, size=4, local_size=2, address=("10.0.0.1", 29500))
    assert not found.main


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"])
def test_one_of_several_that_cannot_find_the_others_is_refused(name):
    with pytest.raises(TrainingError, match="one of 4 processes") as refused:
        world({key: value for key, value in LAUNCHED.items() if key != name})
    assert name in refused.value.given
    assert "torchrun" in refused.value.fix


@pytest.mark.parametrize("name", ["WORLD_SIZE", "RANK", "MASTER_PORT"])
def test_what_is_no_number_is_refused(name):
    with pytest.raises(TrainingError, match="cannot be read") as refused:
        world({**LAUNCHED, name: "two"})
    assert refused.value.given == f"{name}=two"


def test_mpirun_alone_is_refused():
    with pytest.raises(TrainingError, match="each would train for itself"):
        world({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"})


def test_the_cpu_launch_of_accelerate_that_starts_one_process_is_refused():
    with pytest.raises(TrainingError, match="has started one"):
        world({"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"})
    assert world({"ACCELERATE_USE_CPU": "True"}).size == 1
