"""Where a project keeps what: the only place that knows the names inside ``.hatrack/``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Project", "cache_home"]


@dataclass(frozen=True)
class Project:
    """The folder that holds ``hatrack.yaml``."""

    root: Path

    def base_spec(self, base: str) -> str:
        """The key ``base`` as a model source understands it: a path is meant from the project's folder."""
        local = self.root / Path(base).expanduser()
        return str(local.absolute()) if base.startswith(".") or local.exists() else base

    @property
    def state(self) -> Path:
        """Everything Hatrack writes; never committed."""
        return self.root / ".hatrack"

    @property
    def database(self) -> Path:
        """Where versions, aliases and reports are recorded."""
        return self.state / "registry.db"

    @property
    def blobs(self) -> Path:
        """Content-addressed files."""
        return self.state / "blobs"

    @property
    def runs(self) -> Path:
        """Checkpoints, curves and prepared data of training runs, by run key."""
        return self.state / "runs"

    @property
    def data(self) -> Path:
        """Finished steps of preparing data, by what decides their outcome."""
        return self.state / "data"

    @property
    def keys(self) -> Path:
        """Digests of API keys, where the config names no other file."""
        return self.state / "keys.json"

    @property
    def answers(self) -> Path:
        """Answers that are given again, see ``hatrack.answering.cache``."""
        return self.state / "cache" / "answers.db"

    @property
    def spending(self) -> Path:
        """What hosted models were asked and what it cost, see ``hatrack.models.backends.ledger``."""
        return self.state / "spending.db"

    @property
    def text_scores(self) -> Path:
        """What adapters have read out of texts of tables, see ``hatrack.workflows.table_texts``."""
        return self.state / "cache" / "text-scores"

    @property
    def knowledge(self) -> Path:
        """Documents, their chunks and the index of their words, see ``hatrack.rag``."""
        return self.state / "kb"

    @property
    def requests(self) -> Path:
        """What was asked, for drift, where it is logged; see ``hatrack.answering.request_log``."""
        return self.state / "requests"

    @property
    def watch(self) -> Path:
        """History of what schedules found."""
        return self.state / "watch.jsonl"

    @property
    def rejects(self) -> Path:
        """Rows that were left out, with their reasons."""
        return self.state / "rejects"

    @property
    def studio(self) -> Path:
        """Jobs of the studio with what they said, and the reports that it made."""
        return self.state / "studio"


def cache_home() -> Path:
    """Converted base models, shared by all projects: ``$HATRACK_CACHE``, else the user's cache folder."""
    chosen = os.environ.get("HATRACK_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hatrack"
