"""Which adapter lies in which slot: least recently used goes first, never one that runs or is pinned."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["Residency"]


class Residency:
    """Slots 1 to ``slots``; 0 is the base's. No model, no thread, no clock.

    Attributes:
        loads, evictions: counts by digest (F30).
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.loads: dict[str, int] = {}
        self.evictions: dict[str, int] = {}
        self.pinned: set[str] = set()
        self._slot: OrderedDict[str, int] = OrderedDict()  # longest unused first
        self._users: dict[str, int] = {}
        self._free = list(range(slots, 0, -1))

    @property
    def resident(self) -> dict[str, int]:
        """Digest to slot, longest unused first."""
        return dict(self._slot)

    def slot(self, digest: str) -> int | None:
        """Where an adapter lies, if it does."""
        return self._slot.get(digest)

    def users(self, digest: str) -> int:
        """How many running sequences use it."""
        return self._users.get(digest, 0)

    def place(self, digest: str) -> int | None:
        """A slot for an adapter that has none, emptied if need be; None while every slot is in use or pinned."""
        if self._free:
            slot = self._free.pop()
        else:
            victim = next((d for d in self._slot if not self._users.get(d) and d not in self.pinned), None)
            if victim is None:
                return None
            slot = self._slot.pop(victim)
            self.evictions[victim] = self.evictions.get(victim, 0) + 1
        self._slot[digest] = slot
        self.loads[digest] = self.loads.get(digest, 0) + 1
        return slot

    def use(self, digest: str) -> int:
        """One more running sequence; returns the slot."""
        self._slot.move_to_end(digest)
        self._users[digest] = self._users.get(digest, 0) + 1
        return self._slot[digest]

    def release(self, digest: str) -> None:
        """One running sequence less."""
        self._users[digest] -= 1
        if not self._users[digest]:
            del self._users[digest]

    def pin(self, digest: str) -> bool:
        """Never let an adapter give way; False where no slot would be left for the others."""
        if digest not in self.pinned and len(self.pinned) >= self.slots - 1:
            return False
        self.pinned.add(digest)
        return True

    def remove(self, digest: str) -> bool:
        """Give the slot of an adapter back; False while it runs or when it has none."""
        if digest not in self._slot or self._users.get(digest):
            return False
        self._free.append(self._slot.pop(digest))
        return True
