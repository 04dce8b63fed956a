"""Every way Hatrack can refuse, on one screen.

HatrackError                      a fault with: what, given, allowed, fix
├── ConfigError                   hatrack.yaml cannot be used; all its faults together
├── ModelError
│   ├── ModelNotFound             no such base model
│   ├── ModelCorrupt              the files are there and cannot be read
│   ├── HashMismatch              the files are not the ones that were pinned
│   └── HubUnreachable            a hub id was asked for and there is no network
├── DataError                     a file, a row or a split cannot be trained on
│   ├── DataFileError             missing, empty, unreadable, wrong format
│   ├── RowErrors                 numbered rows with their reasons; a reject file
│   └── CheckFailed               F01 to F08: the data would train something else than asked
├── TemplateError                 messages cannot be rendered into tokens and a mask
├── TrainingError
│   ├── TargetsNotFound           target_modules match nothing
│   ├── NonFiniteLoss             the loss became NaN or infinite
│   ├── ProcessLost               one of several processes ended before its time
│   ├── JobFailed                 a hosted fine-tuning job ended without a model
│   └── RunInUse                  another process is at this very run
├── AdapterError
│   ├── AdapterNotFound           unknown name or version (a LookupError)
│   ├── AdapterForbidden          known, but not for this tenant
│   ├── AdapterMismatch           trained for another base or another template
│   ├── AdapterBroken             files damaged, foreign keys, probe not reproduced
│   └── WeightsElsewhere          the weights are at a provider, and this needs them here
├── ProviderError                 a hosted endpoint refuses, or says what its protocol does not
│   └── ProviderUnreachable       no answer, or none yet: connection, time, overload, a fault of its own
├── BudgetExceeded                the money allowed for a hosted model is spent; nothing was sent
├── KnowledgeError                documents cannot be kept, found or filtered as asked
│   ├── EmbedderChanged           the vectors were made by another embedder
│   └── StoreUnreachable          the server that holds the vectors does not answer
├── EvaluationError               nothing to compare, or not comparable
├── PromotionRefused              the evidence does not allow it
├── RequestError                  a request asks for something that cannot be
│   ├── GuardRefused              a guard-rail does not let a question pass
│   └── Busy                      too many are waiting; says when to come back
├── EngineError                   an engine outside this process is away, refuses, or fails
├── StorageError                  disk full, folder not writable
│   └── RegistryUnreachable       the shared database or bucket does not answer, or refuses
├── SchemaMismatch                the registry's tables are those of another version of Hatrack
└── MissingExtra                  an optional dependency is not installed
"""

from __future__ import annotations

from hatrack.core.refusal import HatrackError

__all__ = [
    "AdapterBroken",
    "AdapterError",
    "AdapterForbidden",
    "AdapterMismatch",
    "AdapterNotFound",
    "BudgetExceeded",
    "Busy",
    "CheckFailed",
    "ConfigError",
    "DataError",
    "DataFileError",
    "EmbedderChanged",
    "EngineError",
    "EvaluationError",
    "GuardRefused",
    "HashMismatch",
    "HatrackError",
    "HubUnreachable",
    "JobFailed",
    "KnowledgeError",
    "MissingExtra",
    "ModelCorrupt",
    "ModelError",
    "ModelNotFound",
    "NonFiniteLoss",
    "ProcessLost",
    "PromotionRefused",
    "ProviderError",
    "ProviderUnreachable",
    "RegistryUnreachable",
    "RequestError",
    "RowErrors",
    "RunInUse",
    "SchemaMismatch",
    "StorageError",
    "StoreUnreachable",
    "TargetsNotFound",
    "TemplateError",
    "TrainingError",
    "WeightsElsewhere",
]


class ConfigError(HatrackError):
    """The config file cannot be used. ``faults`` holds every fault found, one sentence each."""

    def __init__(self, what: str, *, faults: tuple[str, ...] = (), given: str = "", allowed: str = "", fix: str = ""):
        super().__init__(what, given=given, allowed=allowed, fix=fix)
        self.faults = faults

    def __str__(self) -> str:
        head, *rest = super().__str__().split("\n")
        return "\n".join([head, *(f"  - {fault}" for fault in self.faults), *rest])


class ModelError(HatrackError):
    """A base model cannot be had."""


class ModelNotFound(ModelError, LookupError):
    """No base model of this name is here."""


class ModelCorrupt(ModelError):
    """The model's files are present and cannot be read."""


class HashMismatch(ModelError):
    """A pinned file has another content than the one that was tested."""


class HubUnreachable(ModelError):
    """The model is on a hub and the hub does not answer."""


class DataError(HatrackError):
    """The data cannot be used for training or evaluation."""


class DataFileError(DataError):
    """A data file is missing, empty, unreadable or of another format."""


class RowErrors(DataError):
    """Rows that cannot be used. ``rows`` holds ``(row number from 1, reason)``, or the first of ``total`` such rows."""

    def __init__(
        self,
        what: str,
        *,
        rows: tuple[tuple[int, str], ...] = (),
        total: int | None = None,
        given: str = "",
        allowed: str = "",
        fix: str = "",
    ):
        super().__init__(what, given=given, allowed=allowed, fix=fix)
        self.rows = rows
        self.total = len(rows) if total is None else total

    def __str__(self) -> str:
        head, *rest = super().__str__().split("\n")
        shown = [f"  row {number}: {reason}" for number, reason in self.rows[:5]]
        if self.total > len(shown):
            shown.append(f"  ... and {self.total - len(shown)} more")
        return "\n".join([head, *shown, *rest])


class CheckFailed(DataError):
    """Training on this data would silently train something else than what was asked for."""


class TemplateError(HatrackError):
    """The chat template cannot turn these messages into tokens and a training mask."""


class TrainingError(HatrackError):
    """Training cannot start or cannot go on."""


class TargetsNotFound(TrainingError, LookupError):
    """``target_modules`` or ``layers`` name modules the base does not have."""


class NonFiniteLoss(TrainingError):
    """The training loss became NaN or infinite."""


class ProcessLost(TrainingError):
    """Another of the processes that train together has ended."""


class JobFailed(TrainingError):
    """A hosted fine-tuning job failed or was cancelled."""


class RunInUse(TrainingError):
    """Another process is training this very run, or is at this very sweep."""


class AdapterError(HatrackError):
    """An adapter cannot be used."""


class AdapterNotFound(AdapterError, LookupError):
    """No adapter, version or alias of this name is registered."""


class AdapterForbidden(AdapterError):
    """The adapter is there, and this tenant may not use it."""


class AdapterMismatch(AdapterError):
    """The adapter was trained for another base or with another template."""


class AdapterBroken(AdapterError):
    """The adapter's files are damaged, carry foreign keys, or do not act as they did at training."""


class WeightsElsewhere(AdapterError):
    """The adapter's weights are at a provider; what was asked needs them on this machine."""


class ProviderError(HatrackError):
    """A hosted endpoint refuses a request, or answers what its protocol does not know.

    Attributes:
        billed: what was asked may have been done, and cost something.
        param: the option that it is about, by the provider's word.
    """

    billed: bool = False
    param: object = None


class ProviderUnreachable(ProviderError):
    """A hosted endpoint does not answer, or not now. ``retry_after``: seconds after which it wants to be asked again."""

    retry_after: float | None = None


class BudgetExceeded(HatrackError):
    """One more request could cost more than is allowed; it was not sent."""


class KnowledgeError(HatrackError):
    """Documents cannot be kept, found or filtered as asked."""


class EmbedderChanged(KnowledgeError):
    """The vectors of this knowledge base were made by another embedder; comparing them would find nothing sensible."""


class StoreUnreachable(KnowledgeError):
    """The server that holds the vectors does not answer. Nothing was lost: what was not acknowledged is sent again."""


class EvaluationError(HatrackError):
    """There is nothing to compare, or the two sides are not comparable."""


class PromotionRefused(HatrackError):
    """The evaluation report does not allow this promotion."""


class RequestError(HatrackError):
    """A request asks for something that cannot be done."""


class GuardRefused(RequestError):
    """A guard-rail of the adapter does not let a question pass."""


class Busy(RequestError):
    """Too many requests are waiting. ``retry_after``: seconds after which there may be room."""

    def __init__(self, what: str, *, given: str = "", allowed: str = "", fix: str = "", retry_after: float = 1.0):
        super().__init__(what, given=given, allowed=allowed, fix=fix)
        self.retry_after = retry_after


class EngineError(HatrackError):
    """The engine that makes the answers is away, refuses what it must do, or fails."""


class StorageError(HatrackError):
    """The disk refused: full, read-only, or not permitted."""


class RegistryUnreachable(StorageError):
    """The database or the bucket of a shared registry does not answer, or refuses. What is not confirmed did not happen."""


class SchemaMismatch(HatrackError):
    """The registry's tables are those of an older Hatrack, and others use them too, or of a newer one."""


class MissingExtra(HatrackError, ImportError):
    """An optional dependency is not installed."""
