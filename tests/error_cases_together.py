"""The faults of training in several processes for docs/errors.md: launchers, and what the processes find out together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from error_cases_data import PAIRS
from error_place import Place, fault
from hatrack.core.world import World
from hatrack.training.processes import Processes

__all__: list[str] = []


class Two(Processes):
    """The main one of two processes, of which the other sees nothing."""

    def __init__(self) -> None:
        self.rank, self.size, self.local_size, self.main = 0, 2, 2, True

    def wait(self) -> None:
        pass

    def from_main(self, work: Callable[[], Any]) -> Any:
        return work()

    def total(self, *numbers: float) -> tuple[float, ...]:
        return tuple(number + 1 for number in numbers)


def _launched(at: Place, **environment: str) -> None:
    at.project()
    for name, value in environment.items():
        at.patch.setenv(name, value)


def _two(at: Place, module: str, **project: object) -> None:
    at.project(**project)
    at.patch.setattr(f"{module}.processes", Two)


def _eval(at: Place) -> None:
    at.project()
    seen = iter([World(size=2)])
    at.patch.setattr("hatrack.cli.main.world", lambda: next(seen, World()))


def _lost(at: Place) -> None:
    from hatrack.workflows.adapt import Workbench

    def prepare(self: object, name: str) -> None:
        raise RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:29500")

    _two(at, "hatrack.training.processes")
    at.patch.setattr(Workbench, "prepare", prepare)


fault("a process that cannot find the others", "train", lambda at: _launched(at, WORLD_SIZE="2"), "not set: RANK", "torchrun")
fault("mpirun without a launcher", "train", lambda at: _launched(at, OMPI_COMM_WORLD_SIZE="4"), "each would train for itself")
fault(
    "accelerate launch --cpu, which starts one process",
    "train",
    lambda at: _launched(at, ACCELERATE_USE_CPU="True", MASTER_ADDR="127.0.0.1"),
    "has started one",
    "--multi_gpu",
)
fault("another command in several processes", "eval", _eval, "hatrack eval works in one process", "without a launcher")
fault(
    "a step that several processes cannot divide evenly",
    "train",
    lambda at: _two(at, "hatrack.training.run", train={"batch_size": 7}),
    "between 2 processes",
    "1, 7 processes",
)
fault(
    "kto in several processes",
    "train",
    lambda at: _two(at, "hatrack.training.run", task="prefer", rows=PAIRS, preference={"loss": "kto"}),
    "reference point",
    "preference.loss: dpo",
)
fault("machines that do not share the project", "train", lambda at: _two(at, "hatrack.workflows.adapt"), "1 of 2 processes cannot see")
fault("another process has ended", "train", _lost, "another of the 2 processes has ended", "from the last checkpoint")
fault(
    "FSDP of version 1",
    "train",
    lambda at: _launched(at, ACCELERATE_USE_FSDP="true"),
    "fsdp_version: 2",
    "examples/accelerate/fsdp.yaml",
)
fault(
    "DeepSpeed that divides the weights",
    "train",
    lambda at: _launched(at, ACCELERATE_USE_DEEPSPEED="true", ACCELERATE_DEEPSPEED_ZERO_STAGE="3"),
    "zero_stage: 3",
    "zero_stage: 0, 1 or 2",
)
