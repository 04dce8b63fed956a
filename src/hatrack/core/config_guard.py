"""What ``guard`` may say: rules for what goes into an adapter and what comes out of it, while it is used."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hatrack.core.strict import Strict

__all__ = ["GuardRules", "InputRules", "OutputRules"]

_TOPICS = "Topics that are refused: a name, and the words or phrases that mark it, as {investments: [which stock, buy shares]}."


class InputRules(Strict):
    """Rules for questions. What is refused is never computed."""

    topics: dict[str, tuple[str, ...]] = Field({}, description=_TOPICS)
    pii: Literal["off", "mask", "refuse"] = Field("off", description="Personal data in questions: let pass, masked, refused.")
    injection: Literal["off", "flag", "refuse"] = Field(
        "off", description="Attempts to overrule the system prompt, by their wording: let pass, counted only, refused."
    )
    max_characters: int | None = Field(None, ge=1, description="Longest conversation; longer ones are refused. null: no limit.")


class OutputRules(Strict):
    """Rules for answers. With any of them, a stream begins when the answer is whole."""

    topics: dict[str, tuple[str, ...]] = Field({}, description=_TOPICS)
    pii: Literal["off", "mask", "refuse"] = Field("off", description="Personal data in answers: let pass, masked, refused.")
    answer_schema: Literal["off", "repair", "refuse"] = Field(
        "off", description="Answers that break the adapter's answer_schema: let pass, repaired where only the form is wrong, else refused."
    )
    citation: Literal["off", "require"] = Field("off", description="Answers without a citation like [1]: let pass, refused.")
    max_characters: int | None = Field(None, ge=1, description="Longest answer; longer ones end after a sentence. null: no limit.")


class GuardRules(Strict):
    """Rules while an adapter is used. Each time one acts is counted in the metrics."""

    input: InputRules = Field(InputRules(), description="Rules for questions.")
    output: OutputRules = Field(OutputRules(), description="Rules for answers.")
    refusal: str = Field("I cannot answer that here.", min_length=1, description="What stands in the place of an answer that is refused.")
