"""Who waits and who is next: one queue for each adapter, a bound on all, and fairness between them.

The adapter with the fewest running sequences goes first, so that a flood for one leaves room for the others; whoever has
waited longer than ``patience`` goes before everybody (F26). What does not fit into the bound is refused at once, with a
time after which to try again, instead of growing the queue.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping

from hatrack.core.errors import Busy
from hatrack.serving.answer import Answer

__all__ = ["WaitingLine"]


class WaitingLine:
    """Waiting sequences. Pure bookkeeping: the caller holds the lock and tells the time."""

    def __init__(self, limit: int, share: float, patience: float) -> None:
        """At most ``limit`` sequences wait, of one adapter at most ``share`` of them; ``patience`` in seconds."""
        self._limit = limit
        self._of_one = max(1, int(limit * share))
        self._patience = patience
        self._lines: OrderedDict[str, deque[Answer]] = OrderedDict()  # longest not served first

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def waiting(self) -> dict[str, int]:
        """How many wait, by digest."""
        return {digest: len(line) for digest, line in self._lines.items()}

    def push(self, answer: Answer, retry_after: float) -> None:
        """Add one at the end of its adapter's line.

        Raises:
            Busy: there is no room.
        """
        mine = self._lines.get(answer.request.digest, ())
        if len(self) >= self._limit or len(mine) >= self._of_one:
            raise Busy(
                "too many requests are waiting",
                given=f"{len(self)} waiting, {len(mine)} of them for this adapter",
                allowed=f"{self._limit}, for one adapter {self._of_one}",
                fix=f"try again in {retry_after:.0f} s",
                retry_after=retry_after,
            )
        self._lines.setdefault(answer.request.digest, deque()).append(answer)

    def order(self, running: Mapping[str, int], now: float) -> Iterator[str]:
        """Digests with somebody waiting, in the order in which they should be served."""

        def rank(item: tuple[int, str]) -> tuple[int, float, int]:
            place, digest = item
            since = self._lines[digest][0].request.created
            return (0, since, 0) if now - since > self._patience else (1, running.get(digest, 0), place)

        for _, digest in sorted(enumerate(self._lines), key=rank):
            yield digest

    def overdue(self, digest: str, now: float) -> bool:
        """Whether the first of an adapter's line has waited for longer than ``patience``."""
        return now - self._lines[digest][0].request.created > self._patience

    def head(self, digest: str) -> Answer:
        """The first of one adapter's line."""
        return self._lines[digest][0]

    def pop(self, digest: str) -> Answer:
        """Take the first of one adapter's line out; the adapter goes to the back."""
        first = self._lines[digest].popleft()
        if self._lines[digest]:
            self._lines.move_to_end(digest)
        else:
            del self._lines[digest]
        return first

    def drop(self, digest: str) -> list[Answer]:
        """Take out everybody who waits for an adapter."""
        return list(self._lines.pop(digest, ()))

    def drop_cancelled(self) -> list[Answer]:
        """Take out everybody whom nobody waits for any more."""
        gone = [s for line in self._lines.values() for s in line if s.request.cancelled]
        for digest in {s.request.digest for s in gone}:
            self._lines[digest] = deque(s for s in self._lines[digest] if not s.request.cancelled)
            if not self._lines[digest]:
                del self._lines[digest]
        return gone
