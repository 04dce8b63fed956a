"""What hosted models were asked and what it cost: one SQLite file, shared by threads and processes.

    reserve ──► a row with the largest cost the request can have       refused where that would break a budget
       ├─ settle ──► what it did cost
       ├─ release ─► the row is gone: the provider refused, so nothing is billed
       └─ neither ─► the row stays as it is: nobody knows whether it was billed, so it counts in full

Reserving reads the sums and writes the row in one transaction that excludes all others, so processes that ask at the same
moment cannot spend the same money twice. Costs are whole numbers of thousand-millionths.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from hatrack.core.errors import BudgetExceeded, StorageError

__all__ = ["NANOS", "Ledger", "Limit", "Spent"]

NANOS = 1_000_000_000  # of one unit of the currency
_WAIT = 30.0  # seconds for other processes' transactions, each of which takes milliseconds
_SCHEMA = """
CREATE TABLE IF NOT EXISTS asked (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, adapter TEXT NOT NULL, model TEXT NOT NULL, settled INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL, nanos INTEGER
);
CREATE INDEX IF NOT EXISTS asked_adapter ON asked (adapter, at, nanos);
CREATE INDEX IF NOT EXISTS asked_model ON asked (model, at, nanos);
"""
_SUMS = {
    "adapter": "SELECT coalesce(sum(nanos), 0) FROM asked WHERE adapter = ? AND at >= ?",
    "model": "SELECT coalesce(sum(nanos), 0) FROM asked WHERE model = ? AND at >= ?",
}


@dataclass(frozen=True)
class Limit:
    """The most that may be spent.

    Attributes:
        whose: what ``of`` names: an adapter of the project, or a model as ``HOST#MODEL``.
        place: the key in ``hatrack.yaml`` that says so.
    """

    whose: Literal["adapter", "model"]
    of: str
    period: str
    nanos: int
    place: str


@dataclass(frozen=True)
class Spent:
    """Of one adapter and one model since a moment. ``nanos`` is None where a cost is not known; ``unsure``: unsettled rows."""

    adapter: str
    model: str
    requests: int
    unsure: int
    prompt_tokens: int
    answer_tokens: int
    nanos: int | None


class Ledger:
    """Thread-safe; each process opens its own.

    Args:
        now: the time, for tests.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path, self._now = path, now
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def reserve(
        self, adapter: str, model: str, prompt_tokens: int, answer_tokens: int, nanos: int | None, limits: Sequence[Limit] = ()
    ) -> int:
        """Set aside the most that a request can cost. Returns what ``settle`` and ``release`` want.

        Raises:
            BudgetExceeded: it could break a limit. StorageError: the file cannot be written; nothing may be sent then.
        """
        with self._transaction() as connection:
            now = self._now()
            for limit in limits:
                spent = self._sum(connection, limit, now)
                if spent + (nanos or 0) > limit.nanos:
                    raise _exceeded(limit, spent, nanos or 0)
            row = connection.execute(
                "INSERT INTO asked (at, adapter, model, prompt_tokens, answer_tokens, nanos) VALUES (?, ?, ?, ?, ?, ?)",
                (now, adapter, model, prompt_tokens, answer_tokens, nanos),
            )
            return int(row.lastrowid or 0)

    def settle(self, ticket: int, prompt_tokens: int, answer_tokens: int, nanos: int | None) -> None:
        """What was billed. Raises StorageError."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE asked SET settled = 1, prompt_tokens = ?, answer_tokens = ?, nanos = ? WHERE id = ?",
                (prompt_tokens, answer_tokens, nanos, ticket),
            )

    def release(self, ticket: int) -> None:
        """Nothing was billed. Raises StorageError."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM asked WHERE id = ?", (ticket,))

    def spent(self, period: str) -> list[Spent]:
        """By adapter and model in the running ``day`` or ``month``, or in ``total``; none where nothing was ever asked.

        Raises:
            StorageError: the file cannot be read.
        """
        if not self._path.is_file():
            return []
        query = (
            "SELECT adapter, model, count(*), count(*) - sum(settled), sum(prompt_tokens), sum(answer_tokens), "
            "CASE WHEN count(nanos) = count(*) THEN sum(nanos) END FROM asked WHERE at >= ? GROUP BY adapter, model ORDER BY adapter, model"
        )
        with self._transaction() as connection:
            return [Spent(*row) for row in connection.execute(query, (_since(period, self._now()),))]

    def used(self, limit: Limit) -> int:
        """What counts against a limit just now, in thousand-millionths. Raises StorageError."""
        if not self._path.is_file():
            return 0
        with self._transaction() as connection:
            return self._sum(connection, limit, self._now())

    @staticmethod
    def _sum(connection: sqlite3.Connection, limit: Limit, now: float) -> int:
        return int(connection.execute(_SUMS[limit.whose], (limit.of, _since(limit.period, now))).fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and nobody else meanwhile."""
        try:
            with self._lock:
                connection = self._connection or self._open()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                "what is spent on hosted models cannot be recorded, so nothing is sent",
                given=f"{self._path}: {error}",
                allowed="a file that can be read and written",
                fix="make room on the disk, or the folder writable",
            ) from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = FULL")  # a power cut must not forget money
        until = time.monotonic() + _WAIT
        while True:  # to change the journal of a new file, SQLite does not wait for others who do the same
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_SCHEMA)
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    connection.close()
                    raise
            time.sleep(0.01)
        self._connection = connection
        return connection


def _since(period: str, now: float) -> float:
    """When the running period began, in Unix seconds; days and months are those of UTC."""
    moment = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case "day":
            return moment.timestamp()
        case "month":
            return moment.replace(day=1).timestamp()
    return 0.0


def _exceeded(limit: Limit, spent: int, wanted: int) -> BudgetExceeded:
    again = {"day": "wait until tomorrow (UTC)", "month": "wait until next month (UTC)"}.get(limit.period, "")
    most, used, cost = (f"{nanos / NANOS:.6g}" for nanos in (limit.nanos, spent, wanted))
    return BudgetExceeded(
        f"the budget of the {limit.whose} {limit.of} does not allow this request; nothing was sent",
        given=f"{used} of {most} is spent or set aside ({limit.period}), and it may cost up to {cost}",
        allowed=f"{limit.place}: {most}",
        fix=" or ".join(filter(None, [again, "ask for fewer tokens", "raise the budget in hatrack.yaml"])),
    )
