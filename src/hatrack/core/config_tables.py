"""What ``tables:`` may say: one classical model for each entry, the table it learns from, and what its errors cost."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from hatrack.core.strict import Strict

__all__ = ["TableColumn", "TableConfig", "TableData", "TableFeature", "TableSearch", "TableSplit", "TableTextScore", "TableTextVectors"]

TableColumn = Literal["number", "category", "date", "text"]
Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TableData(Strict):
    """Where the rows are: one file to be split, or files already split."""

    train: str = Field(description="Training rows: a CSV, Parquet or JSONL file, relative to the project's folder.")
    test: str | None = Field(None, description="Test rows; without it they are split off the training rows.")
    format: str = Field("auto", description="How to read the files: the name of a reader; auto goes by the ending.")


class TableSplit(Strict):
    """How rows are divided into training, folds and test."""

    by: Literal["random", "time", "group"] = Field(
        "random", description="random: stratified by class; time: the newest rows are the test; group: one group is never divided."
    )
    column: str | None = Field(None, description="The column of times, or of groups.")
    test: float = Field(0.2, gt=0, lt=1, description="Share of the rows that is kept for the test.")
    folds: int = Field(5, ge=2, le=20, description="Folds of the cross-validation that settings, calibration and threshold come from.")

    @model_validator(mode="after")
    def _column_is_named(self) -> TableSplit:
        if (self.by == "random") != (self.column is None):
            raise ValueError("`column` belongs to a split by time or by group, and only to those")
        return self


class TableSearch(Strict):
    """Which settings of the model are tried in cross-validation."""

    trials: int = Field(6, ge=1, le=200, description="Settings that are tried at most; 1: the model's own defaults, or `options`.")
    seconds: float | None = Field(None, gt=0, description="Seconds after which no trial is begun; null: no limit.")


class TableFeature(Strict):
    """A column that is computed from others, the same way in training and in use."""

    name: str = Field(description="What the new column is called.")
    make: str = Field(description="The name of a feature: window, since-last, ratio, difference, log, or an installed one.")
    of: tuple[str, ...] = Field((), description="The columns that it is made of.")
    by: str | None = Field(None, description="window, since-last: rows with the same value here belong together (a card, a customer).")
    time: str | None = Field(None, description="window, since-last: the column that orders rows; only earlier rows are looked at.")
    take: Literal["count", "sum", "mean", "min", "max", "std"] = Field("mean", description="window: what is taken of the earlier rows.")
    days: float | None = Field(None, gt=0, description="window: how many days it reaches back; null: all the way.")

    @field_validator("of", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class TableTextScore(Strict):
    """A text column that an adapter of the project reads: the probability of each of its labels becomes a column of numbers."""

    name: str = Field(description="What the new columns begin with: a score `urgency` makes the column `urgency: high`.")
    column: str = Field(description="The column of texts.")
    adapter: str = Field(
        description="An adapter with labels: NAME (its champion, else its newest version when the table is trained) or NAME@VERSION."
    )
    labels: tuple[str, ...] = Field((), description="The labels that become columns; none: all of them, and of two the last one.")
    seen: Literal["refuse", "leave-out", "allow"] = Field(
        "refuse",
        description="Rows of the table that the adapter was trained on, whose scores are better than those of new rows will be: "
        "refuse to train, leave these rows out, or allow them.",
    )


class TableTextVectors(Strict):
    """A text column as vectors of an embedder: texts of like meaning lie near each other, whatever their words."""

    name: str = Field(description="What the new column is called.")
    column: str = Field(description="The column of texts.")
    embedder: str = Field(
        "bundled/all-minilm-l6-v2", description="Who makes the vectors, as under knowledge.embedder: an encoder, llm:BASE, hashing:SIZE."
    )
    parts: int = Field(16, ge=1, le=256, description="How many numbers the model sees of each vector (principal components).")


class TableConfig(Strict):
    """One table: what is to be predicted from it, and with what."""

    data: TableData = Field(description="The data file, or {train, test}.")
    target: str = Field(description="The column to be predicted.")
    task: Literal["auto", "classification", "regression"] = Field(
        "auto", description="auto: regression for numbers with more than 20 different values, else classification."
    )
    positive: str | None = Field(None, description="Two classes: the one that scores and thresholds are about; null: the rarer one.")
    model: str = Field(
        "auto", description="linear, forest, histogram, xgboost, blend (their average), or auto: what is best in cross-validation."
    )
    options: dict[str, Any] = Field({}, description="Settings of the model that are not searched, by its library's names.")
    columns: dict[str, TableColumn] = Field({}, description="Columns whose kind is not to be guessed.")
    ignore: tuple[str, ...] = Field((), description="Columns that the model must not see.")
    allow_leaks: tuple[str, ...] = Field((), description="Columns that tell the target nearly alone and are right to do so.")
    text_scores: tuple[TableTextScore, ...] = Field((), description="Columns that adapters read out of texts.")
    text_vectors: tuple[TableTextVectors, ...] = Field((), description="Texts as vectors of an embedder.")
    features: tuple[TableFeature, ...] = Field((), description="Columns computed from others.")
    protected: tuple[str, ...] = Field(
        (), description="Columns by which fairness is reported; put them into `ignore` as well to hide them."
    )
    fixed: tuple[str, ...] = Field((), description="Columns that nobody can change: counterfactuals leave them alone.")
    monotone: dict[str, Literal[-1, 1]] = Field(
        {}, description="Number columns whose rise may only raise (1) or only lower (-1) the score; not for linear."
    )
    split: TableSplit = Field(TableSplit(), description="How rows are divided.")
    search: TableSearch = Field(TableSearch(), description="Which settings are tried.")
    class_weight: Literal["none", "balanced"] = Field(
        "none", description="balanced: rare classes weigh as much as common ones in training."
    )
    costs: dict[str, dict[str, Positive]] | None = Field(
        None, description="Cost by true class and chosen class, as {bad: {good: 5}, good: {bad: 1}}; the decision minimises it."
    )
    calibration: Literal["auto", "none", "sigmoid", "isotonic"] = Field(
        "auto", description="How scores become probabilities, on rows the model was not trained on. auto: sigmoid."
    )
    metric: str | None = Field(
        None, description="What search and gate look at; null: roc_auc, log_loss for more classes, rmse for numbers."
    )
    max_rejected: float = Field(0.01, ge=0, le=1, description="Largest share of rows that may be left out because they cannot be read.")
    seed: int = Field(13, ge=0, lt=2**32, description="Covers the split, the folds and the models.")

    @field_validator("data", mode="before")
    @classmethod
    def _a_path_is_enough(cls, value: Any) -> Any:
        return {"train": value} if isinstance(value, str) else value
