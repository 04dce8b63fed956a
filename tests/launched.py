"""Several real processes at one command, as a launcher starts them, but forked from one that has imported everything."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from conftest import Ran

__all__ = ["end_at", "together"]

os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # as the command sets it, before torch is imported
_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(
    [
        "launched",
        "hatrack.workflows.adapt",
        "accelerate",
        "matplotlib.figure",
        "peft",
        "transformers.trainer",
        "transformers.models.bert.modeling_bert",
        "transformers.models.llama.modeling_llama",
    ]
)
_LONGEST = 300  # seconds; one that waits for ever is killed, and its exit code says so

Cue = Callable[[int], None]


def together(folder: Path, *arguments: str, project: Path, size: int = 2, cue: Cue | None = None, **environment: str) -> list[Ran]:
    """Run ``hatrack`` with these arguments in ``size`` processes, and say what each did, by rank.

    Args:
        folder: where their output is kept.
        project: ``{rank}`` in its path is each one's own number.
        cue: called in each process before the command, with its rank; a function of a module.
    """
    from torch.distributed import TCPStore

    folder.mkdir(parents=True, exist_ok=True)
    # as a launcher does, the test keeps what they meet in outside of them
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
    return [_ended(process, folder, rank) for rank, process in enumerate(started)]


def _ended(process: BaseProcess, folder: Path, rank: int) -> Ran:
    process.join(_LONGEST)
    process.kill()
    process.join()
    return Ran(process.exitcode or 0, *((folder / f"{rank}.{kind}").read_text() for kind in ("out", "err")))


def _run(arguments: list[str], environment: dict[str, str], folder: Path, rank: int, cue: Cue | None) -> None:
    os.environ.update(environment)
    for stream, kind in ((sys.stdout, "out"), (sys.stderr, "err")):
        with (folder / f"{rank}.{kind}").open("w") as file:
            os.dup2(file.fileno(), stream.fileno())
    gc.freeze()  # the dry run looks for garbage; not among all that was imported
    import torch

    from hatrack.cli.main import main

    torch.set_num_threads(1)
    if cue is not None:
        cue(rank)
    main(arguments)


def end_at(step: int, rank: int, number: int) -> None:
    """Let process 1 send itself a signal as this step begins."""
    from hatrack.training.stopping import StopAfterStep

    begin = StopAfterStep.on_step_begin

    def on_step_begin(self: StopAfterStep, args: Any, state: Any, control: Any, **rest: Any) -> None:
        begin(self, args, state, control, **rest)
        if state.global_step == step - 1 and rank == 1:
            os.kill(os.getpid(), number)

    StopAfterStep.on_step_begin = on_step_begin  # type: ignore[method-assign]  # in this process only
