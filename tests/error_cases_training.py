"""The faults of settings of the loop, and of a sweep over settings, for docs/errors.md."""

from __future__ import annotations

from filelock import FileLock

import error_cases_data  # noqa: F401  # its cases come before these on the page
from error_place import Place, case, fault

__all__: list[str] = []

HELD: list[FileLock] = []  # a lock goes with its object

fault(
    "a number of warm-up steps",
    "train",
    lambda at: at.project(trainer={"warmup_steps": 100}),
    "adapters.first.trainer.warmup_steps",
    "give their share, below 1",
)
fault(
    "sweep: methods and lists that are not there",
    "train --sweep",
    lambda at: at.project(sweep={"methods": ["lroa"], "rank": [4], "ranks": [0]}),
    "3 faults",
    "did you mean lora?",
    "did you mean ranks?",
)
fault(
    "sweep: nothing that can be trained",
    "train --sweep",
    lambda at: at.project(sweep={"methods": ["llama-adapter"]}),
    "none of the settings under sweep can be trained",
    "correct the lists under sweep",
)
fault(
    "sweep: every trial fails",
    "train --sweep",
    lambda at: at.project(train={"learning_rate": 1e30}, sweep={"methods": ["lora"], "ranks": [4], "learning_rates": [1e31], "rungs": 1}),
    "no trial of the sweep came to its end",
    "remove PROJECT/.hatrack/runs/first#sweep",
)


@case("sweep: another process is at it", "another process is at this sweep", "PROJECT/.hatrack/runs/first#sweep")
def _(at: Place) -> str:
    folder = at.project(sweep={"methods": ["ia3"]}) / ".hatrack" / "runs" / "first#sweep"
    folder.mkdir(parents=True)
    HELD.append(FileLock(folder / ".lock"))
    HELD[-1].acquire()
    return "train --sweep"
