"""What a run has had done elsewhere, written down before anything is waited for: nothing is paid twice after a kill.

    uploaded a file ──► its id is written ──► started a job ──► its id is written ──► followed

A kill between a start and its writing leaves the file's id, and the provider's list of jobs names the file of each job.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hatrack.core.atomic import write_text
from hatrack.core.errors import StorageError

__all__ = ["JobLedger"]

_FILE = "job.json"


class JobLedger(BaseModel):
    """``job.json`` in the run's folder.

    Attributes:
        files: ``train``, ``validation`` to the provider's ids of them.
        job: the provider's id of the job.
        status: the last that was heard of it.
        error: why it failed, in the provider's words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["hatrack.job/1"] = "hatrack.job/1"
    files: dict[str, str] = {}
    job: str | None = None
    status: str = ""
    error: str = ""

    @classmethod
    def read(cls, run: Path) -> JobLedger:
        """The ledger of a run; an empty one where nothing was done yet.

        Raises:
            StorageError: it cannot be read; a job may be running, so none is started.
        """
        try:
            return cls.model_validate_json((run / _FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        except (OSError, ValidationError, ValueError) as error:
            raise StorageError(
                "the record of a hosted job cannot be read, and a second job would be paid again",
                given=f"{run / _FILE}: {str(error).splitlines()[0]}",
                allowed=f"{_FILE} as it was written",
                fix="look for the job at the provider; remove the file if there is none",
            ) from error

    def write(self, run: Path, **changes: object) -> JobLedger:
        """A ledger with ``changes``, on disk when this returns."""
        changed = self.model_copy(update=changes)
        write_text(run / _FILE, changed.model_dump_json(indent=1) + "\n")
        return changed

    def retire(self, run: Path) -> JobLedger:
        """Put the ledger aside, under the first free number; return an empty one."""
        number = 1
        while (run / f"job-{number}.json").exists():
            number += 1
        (run / _FILE).rename(run / f"job-{number}.json")
        return JobLedger()
