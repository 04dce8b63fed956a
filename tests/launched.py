"""Several real processes at one command, as a launcher starts them, but forked from one that has imported everything."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from conftest import Ran

__all__ = ["Team", "start_together", "together"]

os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # as the command sets it, before torch is imported
_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["launched", "hatrack.workflows.adapt"])
_CUES = Callable[[int], None]


@dataclass
class Team:
    """Processes that were started, and the store through which they meet; a launcher keeps it outside of them too."""

    processes: list[BaseProcess]
    folder: Path
    store: Any

    def ended(self, seconds: float = 120) -> list[Ran]:
        """What each did, by rank; one that does not end is killed."""
        ran = []
        for rank, process in enumerate(self.processes):
            process.join(seconds)
            process.kill()
            process.join()
            ran.append(Ran(process.exitcode or 0, *((self.folder / f"{rank}.{kind}").read_text() for kind in ("out", "err"))))
        return ran


def start_together(folder: Path, *arguments: str, project: Path, size: int = 2, cue: _CUES | None = None, **environment: str) -> Team:
    """Start ``hatrack`` with these arguments in ``size`` processes; ``{rank}`` in the project's path is each one's own number.

    Args:
        cue: called in each process before the command, with its rank; a function of a module.
    """
    from torch.distributed import TCPStore

    folder.mkdir(parents=True, exist_ok=True)
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    shared |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "OMP_NUM_THREADS": "1", "HATRACK_CACHE": os.environ["HATRACK_CACHE"]}
    started = []
    for rank in range(size):
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), **shared, **environment}
        given = [*arguments, "--project", str(project).format(rank=rank)]
        process = _FORK.Process(target=_run, args=(given, own, folder, rank, cue))
        process.start()
        started.append(process)
    return Team(started, folder, store)


def together(folder: Path, *arguments: str, project: Path, **rest: Any) -> list[Ran]:
    """As ``start_together``, to its end."""
    return start_together(folder, *arguments, project=project, **rest).ended()


def _run(arguments: list[str], environment: dict[str, str], folder: Path, rank: int, cue: _CUES | None) -> None:
    os.environ.update(environment)
    for stream, kind in ((sys.stdout, "out"), (sys.stderr, "err")):
        with (folder / f"{rank}.{kind}").open("w") as file:
            os.dup2(file.fileno(), stream.fileno())
    import torch

    from hatrack.cli.main import main

    torch.set_num_threads(1)
    if cue is not None:
        cue(rank)
    main(arguments)
