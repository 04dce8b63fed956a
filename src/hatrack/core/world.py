"""Which of several processes this one is, from what a launcher put into the environment; no torch, no connection."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from hatrack.core.errors import TrainingError

__all__ = ["World", "world"]

_NEEDED = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_MPI = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")
_LAUNCH = "`accelerate launch --multi_gpu --num_processes N -m hatrack train`, or `torchrun --nproc_per_node N -m hatrack train`"


@dataclass(frozen=True)
class World:
    """All processes of one training, and which of them this is.

    Attributes:
        rank: from 0; process 0 is the main one: it alone writes and speaks.
        size: how many there are, on all machines.
        local_size: how many of them share this machine's memory.
        address: host and port where they meet; empty if there is one process only.
    """

    rank: int = 0
    size: int = 1
    local_size: int = 1
    address: tuple[str, int] | None = None

    @property
    def main(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0


def world(environment: Mapping[str, str] = os.environ) -> World:
    """The processes that a launcher (accelerate, torchrun) has started.

    Raises:
        TrainingError: several were asked for, and they could not find each other: each would train for itself.
    """
    if "WORLD_SIZE" not in environment:
        _refuse_half_started(environment)
        return World()
    size = _number(environment, "WORLD_SIZE")
    if size == 1:
        return World()
    missing = [name for name in _NEEDED if name not in environment]
    if missing:
        raise TrainingError(
            f"this is one of {size} processes (WORLD_SIZE), but nothing says how they find each other",
            given=f"not set: {', '.join(missing)}",
            allowed="all of " + ", ".join(("WORLD_SIZE", *_NEEDED)),
            fix=f"start with {_LAUNCH}; or unset WORLD_SIZE to train in one process",
        )
    return World(
        rank=_number(environment, "RANK"),
        size=size,
        local_size=_number(environment, "LOCAL_WORLD_SIZE") if "LOCAL_WORLD_SIZE" in environment else 1,
        address=(environment["MASTER_ADDR"], _number(environment, "MASTER_PORT")),
    )


def _number(environment: Mapping[str, str], name: str) -> int:
    if not environment[name].isdecimal():
        raise TrainingError(
            "the environment of a launcher cannot be read",
            given=f"{name}={environment[name]}",
            allowed="a number",
            fix=f"start with {_LAUNCH}",
        )
    return int(environment[name])


def _refuse_half_started(environment: Mapping[str, str]) -> None:
    """Several processes, or one that was to be several, of which none knows the others."""
    for name in _MPI:
        if environment.get(name, "1") != "1":
            raise TrainingError(
                "mpirun has started several processes that do not know each other; each would train for itself",
                given=f"{name}={environment[name]}, no WORLD_SIZE",
                fix=f"start with {_LAUNCH}",
            )
    # `accelerate launch --cpu` says where processes shall meet and then starts a single one
    if environment.get("ACCELERATE_USE_CPU", "").lower() == "true" and "MASTER_ADDR" in environment:
        raise TrainingError(
            "several processes were asked for, and `accelerate launch --cpu` has started one: without mpirun it cannot do more",
            given=f"MASTER_ADDR={environment['MASTER_ADDR']}, no WORLD_SIZE",
            fix=f"start with {_LAUNCH}; both take the CPU where there is no GPU",
        )
