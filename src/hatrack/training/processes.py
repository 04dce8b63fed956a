"""Several processes at one training: who goes first, who waits, what all agree on.

    process 0 (main)   prepare ──► train ──► write, register, report
    process 1          ..wait..──► train ──► ..wait..

The main process alone writes into the project; the others read what it wrote, from the same folder. With one process
every call here is free.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import distributed as dist

from hatrack.core.errors import HatrackError, ProcessLost, TrainingError
from hatrack.core.world import World, world

__all__ = ["Processes", "first_to_say", "processes"]

_PATIENCE = timedelta(days=7)  # the main process may prepare data for hours while the others wait
_LOST = re.compile(r"gloo|nccl|connection (was )?(closed|reset|refused)|broken pipe|timed out waiting", re.IGNORECASE)

T = TypeVar("T")


class Processes:
    """All processes of this training. What they say to each other here goes over CPU memory and gloo."""

    def __init__(self, of: World) -> None:
        self.rank, self.size, self.local_size, self.main = of.rank, of.size, of.local_size, of.main
        self._group: Any = None
        if self.size > 1:
            from accelerate import PartialState

            PartialState(cpu=not torch.cuda.is_available())  # as the Trainer will do: the right device and backend
            self._group = dist.new_group(backend="gloo", timeout=_PATIENCE)

    @property
    def sharded(self) -> bool:
        """Whether no process holds all weights (FSDP)."""
        return self.size > 1 and os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"

    @property
    def wrapped(self) -> bool:
        """Whether the model is in the hands of an engine that wants to see every forward pass (FSDP, DeepSpeed)."""
        return self.sharded or (self.size > 1 and os.environ.get("ACCELERATE_USE_DEEPSPEED", "").lower() == "true")

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            dist.barrier(group=self._group)

    @contextlib.contextmanager
    def first(self) -> Iterator[None]:
        """The main process goes through the block first; the others then find what it wrote."""
        if not self.main:
            self.wait()
        yield
        if self.main:
            self.wait()

    def any(self, flag: bool) -> bool:
        """Whether one of them says so; all hear the same."""
        return self.total(flag)[0] > 0

    def total(self, *numbers: float) -> tuple[float, ...]:
        """The sum over all processes, of each number."""
        if self.size == 1:
            return numbers
        sums = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(sums, group=self._group)
        return tuple(sums.tolist())

    def from_main(self, work: Callable[[], T]) -> T:
        """What ``work`` gives on the main process, which alone does it, for all."""
        if self.size == 1:
            return work()
        box: list[Any] = [work() if self.main else None]
        dist.broadcast_object_list(box, src=0, group=self._group)
        found: T = box[0]
        return found

    def check_folder(self, folder: Path) -> None:
        """Refuse machines that do not see the same project.

        Raises:
            TrainingError: a file that the main process writes is not seen by all.
        """
        if self.size == 1:
            return
        mark = folder / self.from_main(lambda: f".together-{uuid.uuid4().hex}")
        if self.main:
            folder.mkdir(parents=True, exist_ok=True)
            mark.touch()
        self.wait()
        blind = int(self.total(not mark.exists())[0])
        if self.main:
            mark.unlink()
        where = self.from_main(lambda: str(folder))
        if blind:
            raise TrainingError(
                "the project's folder is not the same for all processes",
                given=f"{blind} of {self.size} processes cannot see what the main process writes into {where}",
                allowed="one folder that all machines share (NFS or the like)",
                fix="put the project on a shared file system, at the same path everywhere",
            )

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """What libraries raise when another process is gone becomes one clear error.

        Raises:
            ProcessLost: another process has ended before its time.
        """
        try:
            yield
        except HatrackError:
            raise
        except RuntimeError as error:
            if self.size == 1 or not (isinstance(error, dist.DistError) or _LOST.search(str(error))):
                raise
            raise ProcessLost(
                f"another of the {self.size} processes has ended; training cannot go on without it",
                given=f"process {self.rank} lost the connection",
                fix="look for what the other process or the launcher says of it (out of memory?); "
                "the same command goes on from the last checkpoint",
            ) from error


@functools.cache
def processes() -> Processes:
    """The processes of this training; the first call connects them.

    Raises:
        TrainingError: see ``hatrack.core.world``.
    """
    return Processes(world())


def first_to_say(message: str, *, lost: bool = False) -> bool:
    """Whether this process should print ``message``: all meet the same fault, and once is enough.

    Args:
        lost: the message is only that another process is gone; no news where that process has said why.
    """
    try:
        here = world()
        if here.address is None:
            return True
        stores: Any = dist  # typed as if its stores were its own affair
        store = stores.TCPStore(*here.address, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=5))
        said = stores.PrefixStore("hatrack/said", store)
        first_of_all = said.add("anything", 1) == 1
        first_of_these = said.add(hashlib.sha256(message.encode()).hexdigest(), 1) == 1
    except (HatrackError, RuntimeError, OSError):  # no launcher to ask any more
        return True
    return bool(first_of_all if lost else first_of_these)
