"""What a causal base will really be trained on, token by token: the checks F01 to F07, before any training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hatrack.core.chat import Message
from hatrack.core.config import AdapterConfig
from hatrack.core.errors import CheckFailed, RowErrors, TemplateError
from hatrack.data.records import Example
from hatrack.models.render import ChatRenderer, Rendered

__all__ = ["check_truncation", "conversation", "render_examples", "render_pairs"]


def conversation(example: Example, config: AdapterConfig) -> tuple[Message, ...]:
    """The messages of an example; a label that is to be generated becomes the assistant's turn."""
    if config.task in ("instruct", "prefer"):
        return example.messages
    turns = (Message("user", example.text), Message("assistant", example.label))
    return (Message("system", config.system), *turns) if config.system else turns


def render_examples(examples: Sequence[Example], config: AdapterConfig, renderer: ChatRenderer) -> list[Rendered]:
    """Render every example for training; refuse rows in which nothing would be learned (F01, F02).

    Raises:
        RowErrors: rows that cannot be rendered, have no trained token, or whose last trained token does not stop.
        CheckFailed: more rows than ``checks.max_truncated`` are longer than ``train.max_length`` (F07).
    """
    settings = config.train

    def render(example: Example) -> tuple[Rendered, ...]:
        if config.task == "complete":
            return (renderer.text(example.text, settings.max_length),)
        if config.task == "prefer":
            return renderer.pair(example.messages, example.rejected, settings.max_length)[:1]
        return (renderer.example(conversation(example, config), settings.max_length, last_turn_only=settings.last_turn_only),)

    return [one for (one,) in _checked(examples, config, renderer, render)]


def render_pairs(examples: Sequence[Example], config: AdapterConfig, renderer: ChatRenderer) -> list[tuple[Rendered, Rendered]]:
    """The better and the worse answer of every example behind the same prompt; refused as ``render_examples`` refuses.

    Raises:
        RowErrors, CheckFailed: as ``render_examples``, for either answer of a pair.
    """
    pairs = _checked(examples, config, renderer, lambda e: renderer.pair(e.messages, e.rejected, config.train.max_length))
    return [(chosen, rejected) for chosen, rejected in pairs]


def _checked(
    examples: Sequence[Example], config: AdapterConfig, renderer: ChatRenderer, render: Callable[[Example], tuple[Rendered, ...]]
) -> list[tuple[Rendered, ...]]:
    rendered: list[tuple[Rendered, ...]] = []
    faults: list[tuple[int, str]] = []
    for example in examples:
        try:
            ones = render(example)
        except TemplateError as error:
            faults.append((example.row, f"{error.what} ({error.given})"))
            continue
        fault = next((fault for one in ones if (fault := _unlearnable(one, renderer))), "")
        if fault:
            faults.append((example.row, fault))
        rendered.append(ones)
    if faults:
        raise RowErrors(
            f"{len(faults)} of {len(examples)} rows cannot be trained on",
            rows=tuple(faults),
            allowed="every row ends in a trained stop token and fits in train.max_length",
            fix="correct these rows, or raise train.max_length",
        )
    check_truncation(sum(ones[0].shortened for ones in rendered), len(rendered), config)
    return rendered


def check_truncation(truncated: int, rows: int, config: AdapterConfig) -> None:
    """More than a few cut rows need a yes (F07).

    Raises:
        CheckFailed: the share is above ``checks.max_truncated``.
    """
    if truncated > config.checks.max_truncated * rows:
        raise CheckFailed(
            f"{truncated} of {rows} rows are longer than train.max_length and would be cut",
            given=f"{truncated / rows:.1%} of the rows at max_length {config.train.max_length}",
            allowed=f"{config.checks.max_truncated:.1%} (checks.max_truncated)",
            fix="raise train.max_length, or accept the loss by raising checks.max_truncated",
        )


def _unlearnable(one: Rendered, renderer: ChatRenderer) -> str:
    trained = [token for token, kept in zip(one.ids, one.mask, strict=True) if kept]
    if not trained:
        return "no token of this row is trained; its loss would be 0"
    if trained[-1] not in renderer.stop_ids:
        return "the last trained token is no stop token; the model would not learn to stop"
    if not any(token not in renderer.stop_ids for token in trained):
        return "only the stop token of this row is trained; there is nothing before it to learn"
    return ""
