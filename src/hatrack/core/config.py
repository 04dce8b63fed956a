"""The one config file: what a project's ``hatrack.yaml`` may say, with a sentence of help for every key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hatrack.core.config_compare import CompareSettings
from hatrack.core.config_gate import GateRules
from hatrack.core.config_guard import GuardRules
from hatrack.core.config_hosted import HostedModel
from hatrack.core.config_knowledge import KnowledgeSettings, RagSettings
from hatrack.core.config_prepare import PrepareSettings
from hatrack.core.config_price import Budget
from hatrack.core.config_provider import ProviderSettings
from hatrack.core.config_registry import RegistrySettings
from hatrack.core.config_route import Route, RoutingSettings, overlaps
from hatrack.core.config_safety import SafetySettings
from hatrack.core.config_serve import ServeSettings
from hatrack.core.config_sweep import SweepSpace
from hatrack.core.config_tables import TableConfig
from hatrack.core.config_train import TrainSettings
from hatrack.core.config_trainer import TrainerNames, with_trainer_names
from hatrack.core.config_watch import WatchSettings
from hatrack.core.errors import ConfigError
from hatrack.core.names import AUTO, BASE, NAME_RULE, closest, valid_name
from hatrack.core.strict import Strict

__all__ = [
    "HOSTED_TASKS",
    "AdapterConfig",
    "Checks",
    "Columns",
    "DataFiles",
    "GateRules",
    "Preference",
    "ProjectConfig",
    "Task",
]

Task = Literal["instruct", "classify", "classify-by-text", "complete", "prefer"]
HOSTED_TASKS = ("instruct", "classify-by-text")


class DataFiles(Strict):
    """Where the rows are: one file to be split, or files already split."""

    train: str = Field(description="Training rows: a file, or a folder of documents, relative to the project's folder.")
    validation: str | None = Field(None, description="Validation rows; without it they are split off the training rows.")
    test: str | None = Field(None, description="Test rows; without it they are split off the training rows.")
    format: str = Field("auto", description="How to read the files: the name of a reader; auto looks at the ending and the first bytes.")
    layout: str = Field("auto", description="What the columns mean: the name of a layout; auto goes by their names.")


class Columns(Strict):
    """Which column of the file plays which part."""

    text: str = Field("text", description="Classification: the column to be classified.")
    label: str = Field("label", description="Classification: the column that holds the label.")
    prompt: str = Field("prompt", description="Instruct: the column that holds the user's turn.")
    response: str = Field("response", description="Instruct: the column that holds the answer to learn.")
    messages: str = Field("messages", description="Instruct: the column that holds a whole conversation, used when it is present.")
    chosen: str = Field("chosen", description="Prefer: the column that holds the better answer.")
    rejected: str = Field("rejected", description="Prefer: the column that holds the worse answer.")
    id: str | None = Field("id", description="A unique id for each row; null when there is none.")
    group: str | None = Field(None, description="Rows with the same value stay in the same split (a contract, a patient).")


class Checks(Strict):
    """When data is refused instead of trained on."""

    max_truncated: float = Field(0.01, ge=0, le=1, description="Largest share of rows that may be cut at max_length.")
    max_rejected: float = Field(0.01, ge=0, le=1, description="Largest share of invalid rows that may be left out.")
    max_conflicts: float = Field(0.05, ge=0, le=1, description="Largest share of rows whose text also occurs with another label.")
    max_row_bytes: int = Field(1_000_000, ge=1_000, description="Largest size of one row of the file, in bytes.")
    leaks: Literal["refuse", "drop"] = Field("refuse", description="Training rows that also stand in the test set: refuse, or drop them.")
    drop_unknown_test_labels: bool = Field(False, description="Leave out test rows whose label never occurs in training.")
    near_duplicates: float = Field(0.9, gt=0, le=1, description="Jaccard similarity from which two texts count as one cluster.")


class Preference(Strict):
    """How a better and a worse answer become a loss, for task prefer."""

    loss: Literal["dpo", "orpo", "kto"] = Field(
        "dpo",
        description="dpo: the better answer gains on the worse, measured against the start; kto: each answer for itself, against "
        "the start; orpo: odds of one over the other beside the better answer's own loss, no reference.",
    )
    beta: float = Field(0.1, gt=0, description="dpo, kto: how strongly the start holds back; orpo: weight of the odds ratio.")


class AdapterConfig(Strict):
    """One hat: the data it learns from, what it is for, and how it is trained."""

    model_config = ConfigDict(extra="allow", frozen=True)

    hosted: str | None = Field(None, description="Nothing is trained: this model of `hosted` answers, with the adapter's system prompt.")
    data: DataFiles | None = Field(
        None, validate_default=True, description="The data file, or {train, validation, test}. Required, but for a hosted adapter."
    )
    columns: Columns = Field(Columns(), description="Which columns of the file to use.")
    task: Task = Field(
        description="classify (encoder with a head), classify-by-text (the label is generated), instruct (an answer to a prompt), "
        "complete (plain text), prefer (a better and a worse answer)."
    )
    method: str = Field("lora", description="How the adapter is trained; its options (r, alpha, ...) stand beside this key.")
    budget: Budget = Field(Budget(), description="The most that may be spent on a hosted adapter, beside the budget of its model.")
    parent: str | None = Field(
        None, description="Train on from this version, NAME@VERSION, instead of from the base; same method and options."
    )
    preference: Preference = Field(Preference(), description="The loss of task prefer.")
    system: str | None = Field(None, description="System prompt in training, evaluation and use.")
    labels: tuple[str, ...] | None = Field(None, description="All labels that may occur; null: those found in the training rows.")
    answer_schema: dict[str, Any] | None = Field(None, description="Instruct: JSON schema every answer must satisfy.")
    prepare: PrepareSettings = Field(PrepareSettings(), description="How raw rows become training rows.")
    split: tuple[float, float, float] = Field((0.8, 0.1, 0.1), description="Shares of train, validation and test.")
    checks: Checks = Field(Checks(), description="Limits beyond which the data is refused.")
    route: Route = Field(Route(), description="Requests that this adapter answers when they do not name one.")
    rag: RagSettings | None = Field(None, description="How it answers from knowledge; null: only when a request asks for it.")
    guard: GuardRules | None = Field(None, description="Rules while it is used; null: those of `guard` beside `adapters`.")
    train: TrainSettings = Field(TrainSettings(), description="The training loop.")
    trainer: TrainerNames = Field(TrainerNames(), description="The training loop, by the names of transformers' TrainingArguments.")
    sweep: SweepSpace = Field(SweepSpace(), description="What `hatrack train --sweep` tries.")

    @model_validator(mode="before")
    @classmethod
    def _names_of_the_trainer(cls, value: Any) -> Any:
        return with_trainer_names(value) if isinstance(value, dict) else value

    @field_validator("data", mode="before")
    @classmethod
    def _a_path_is_enough(cls, value: Any) -> Any:
        return {"train": value} if isinstance(value, str) else value

    @field_validator("data")
    @classmethod
    def _who_trains_needs_rows(cls, value: DataFiles | None, info: ValidationInfo) -> DataFiles | None:
        if value is None and info.data.get("hosted") is None:
            raise PydanticCustomError("missing", "Field required")
        return value

    @field_validator("split")
    @classmethod
    def _shares_sum_to_one(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if any(share <= 0 for share in value) or abs(sum(value) - 1) > 1e-6:
            raise ValueError(f"shares must be positive and sum to 1, these sum to {sum(value):g}")
        return value

    @model_validator(mode="after")
    def _hosted_is_not_trained(self) -> AdapterConfig:
        if self.hosted is None:
            return self
        if self.task not in HOSTED_TASKS:
            raise ValueError(f"a hosted model answers the tasks {' and '.join(HOSTED_TASKS)}")
        trained = sorted({*self.options, *(self.model_fields_set & {"method", "parent"})})
        if trained:
            raise ValueError(f"{', '.join(trained)}: nothing is trained where `hosted` says who answers; leave it out")
        if self.task == "classify-by-text" and not self.labels and self.data is None:
            raise ValueError("a hosted classifier needs labels, or data to find them in")
        return self

    @property
    def files(self) -> DataFiles:
        """Where its rows are.

        Raises:
            ConfigError: it is a hosted adapter without any.
        """
        if self.data is None:
            raise ConfigError(
                "this adapter has no rows to work on",
                given=f"hosted: {self.hosted}, and no data",
                allowed="a hosted adapter with data, to measure it on",
                fix="add data: FILE to the adapter in hatrack.yaml",
            )
        return self.data

    @property
    def options(self) -> dict[str, Any]:
        """The method's own keys, as written; the method's option model checks them."""
        return dict(self.model_extra or {})


def _name_is_valid(name: str) -> str:
    if name == BASE:
        raise ValueError("'base' is the name of the unadapted model; choose another name")
    if name == AUTO:
        raise ValueError("'auto' lets routing choose an adapter; choose another name")
    if not valid_name(name):
        raise ValueError(f"adapter names have the form {NAME_RULE}, at most 64 characters")
    return name


# Checked key by key, so that every bad name is reported beside all other faults (F09).
AdapterName = Annotated[str, AfterValidator(_name_is_valid), Field(description="The adapter's name.")]
TableName = Annotated[str, AfterValidator(_name_is_valid), Field(description="The table's name.")]


class ProjectConfig(Strict):
    """The whole file."""

    base: str = Field("bundled/smollm2-135m-instruct", description="The base model: bundled/NAME, a hub id, or a path.")
    adapters: dict[AdapterName, AdapterConfig] = Field({}, description="One entry for each adapter, by name.")
    tables: dict[TableName, TableConfig] = Field({}, description="One entry for each table model, by name.")
    gate: GateRules = Field(GateRules(), description="What promote asks for.")
    knowledge: KnowledgeSettings = Field(KnowledgeSettings(), description="Documents that answers are taken from.")
    guard: GuardRules = Field(GuardRules(), description="Rules while the base, or an adapter without its own, is used.")
    registry: RegistrySettings = Field(RegistrySettings(), description="Where versions are kept; shared by a team, if you say so.")
    watch: WatchSettings = Field(WatchSettings(), description="What is looked at while adapters are in use.")
    safety: SafetySettings = Field(SafetySettings(), description="What `hatrack redteam` asks.")
    hosted: dict[str, HostedModel] = Field({}, description="Models that others host, by a name of yours.")
    provider: ProviderSettings | None = Field(None, description="Hosted fine-tuning, for `hatrack train --provider`.")
    routing: RoutingSettings = Field(RoutingSettings(), description="Which adapter answers a request that does not name one.")
    serve: ServeSettings = Field(ServeSettings(), description="The server and its engine.")
    compare: CompareSettings = Field(CompareSettings(), description="Which approaches `hatrack compare` tries, and at what prices.")

    @model_validator(mode="after")
    def _collections_are_there(self) -> ProjectConfig:
        known = self.knowledge.collections
        for name, adapter in self.adapters.items():
            for one in adapter.rag.collections if adapter.rag else ():
                if one not in known:
                    raise ValueError(f"adapters.{name}.rag names the collection {one!r}; knowledge.collections has {', '.join(known)}")
        return self

    @field_validator("adapters")
    @classmethod
    def _a_request_has_one_adapter(cls, value: dict[str, AdapterConfig]) -> dict[str, AdapterConfig]:
        pairs = overlaps({name: adapter.route for name, adapter in value.items()})
        if pairs:
            raise ValueError("; ".join(f"the routes of {a} and {b} fit the same requests" for a, b in pairs))
        return value

    @model_validator(mode="after")
    def _hosted_models_are_there(self) -> ProjectConfig:
        for name, adapter in self.adapters.items():
            if adapter.hosted is not None and adapter.hosted not in self.hosted:
                near = closest(adapter.hosted, self.hosted, 1)
                known = ", ".join(self.hosted) or "none"
                raise ValueError(
                    f"adapters.{name}.hosted names {adapter.hosted!r}; hosted has {known}" + (f"; did you mean {near[0]}?" if near else "")
                )
            priced = self.provider if adapter.hosted is None else self.hosted[adapter.hosted]
            if adapter.budget.limits and (priced is None or priced.price is None):
                where = "provider" if adapter.hosted is None else f"hosted.{adapter.hosted}"
                raise ValueError(f"adapters.{name}.budget is for what a provider answers, and needs {where}.price")
        return self

    @model_validator(mode="after")
    def _something_to_train(self) -> ProjectConfig:
        if not self.adapters and not self.tables:
            raise ValueError("adapters or tables: one of these keys is required")
        both = sorted(self.adapters.keys() & self.tables.keys())
        if both:
            raise ValueError(f"tables: {', '.join(both)} is the name of an adapter too; a name belongs to one of them")
        return self
