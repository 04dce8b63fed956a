r"""Messages to token ids and a training mask: the one function that training, evaluation and serving all call.

A conversation is rendered as text by the tokenizer's own chat template and cut into segments by prefix difference:

    <|im_start|>user ... <|im_start|>assistant\n │ 42 │ <|im_end|> │ \\n<|im_start|>user ...
                 prompt, masked               │ answer │  stop   │  masked

Each segment is tokenised by itself. So the ids of a prompt at serving time are exactly the ids that stood before the
answer in training, and the mask is right for any template, with or without generation marks (F03, F05, F06).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hatrack.core.chat import Message
from hatrack.core.digest import sha256_json
from hatrack.core.errors import TemplateError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["PLAIN_TEMPLATE", "ChatRenderer", "Rendered"]

# For bases that were never taught a chat format.
PLAIN_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}\n\n"
    "{% elif m['role'] == 'user' %}Question: {{ m['content'] }}\n"
    "{% else %}Answer: {{ m['content'] }}{{ eos_token }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Answer: {% endif %}"
)
_SCHEME = "segments/1"  # part of the template hash: another way of cutting is another template


@dataclass(frozen=True)
class Rendered:
    """Token ids of a conversation and which of them are trained.

    ``len(mask) == len(ids)``; ``mask[i]`` is True where token i is an answer's token or the stop token that ends it.
    """

    ids: tuple[int, ...]
    mask: tuple[bool, ...]
    shortened: bool = False

    @property
    def trained(self) -> int:
        """How many tokens carry a label."""
        return sum(self.mask)

    def behind(self, prompt: tuple[int, ...]) -> Rendered:
        """What is trained of this row, and all that follows its beginning, behind the ids of another prompt."""
        start = self.mask.index(True)
        return Rendered(prompt + self.ids[start:], (False,) * len(prompt) + self.mask[start:], self.shortened)

    @property
    def prompt(self) -> tuple[int, ...]:
        """The ids before the first trained token."""
        return self.ids[: self.mask.index(True)]


class ChatRenderer:
    """Renders conversations for one tokenizer.

    Args:
        tokenizer: a fast tokenizer; without a chat template of its own it gets ``PLAIN_TEMPLATE``.
        stop_ids: ids that end an answer; the tokenizer's end-of-sequence token is always one of them.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop_ids: Sequence[int] = ()) -> None:
        self._tokenizer: Any = tokenizer
        self._template = str(self._tokenizer.chat_template or PLAIN_TEMPLATE)
        eos = self._tokenizer.eos_token_id
        self.stop_ids = frozenset([*stop_ids, *([eos] if eos is not None else [])])
        self.template_hash = sha256_json(
            {
                "scheme": _SCHEME,
                "template": self._template,
                "special": {key: str(value) for key, value in self._tokenizer.special_tokens_map.items()},
                "stop": sorted(self.stop_ids),
            }
        )

    def prompt(self, messages: Sequence[Message], max_length: int | None = None) -> Rendered:
        """Everything up to where the assistant begins to speak. ``mask`` is all False.

        Raises:
            TemplateError: the template refuses these messages.
        """
        return self._fitted(messages, max_length, self._prompt)

    def example(self, messages: Sequence[Message], max_length: int | None = None, *, last_turn_only: bool = False) -> Rendered:
        """A conversation to learn from: every assistant turn is trained, or only the last (F04).

        Where it is longer than ``max_length``, the longest user or system message is cut at its end; an answer never is.

        Raises:
            TemplateError: no assistant turn, a template that rewrites earlier turns, an answer that does not end in a
                stop token (F01), or a conversation that does not fit even so.
        """
        return self._fitted(messages, max_length, lambda turns: self._example(turns, last_turn_only))

    def pair(self, messages: Sequence[Message], rejected: str, max_length: int | None = None) -> tuple[Rendered, Rendered]:
        """A conversation that ends with the better answer, and the same one with the worse answer in its place.

        Both stand behind the very same prompt ids: where one is too long, the prompt is cut for both. Only the answers,
        with their stop tokens, are marked.

        Raises:
            TemplateError: as ``example``.
        """
        other = (*messages[:-1], replace(messages[-1], content=rejected))
        whole = [self.example(turns, last_turn_only=True) for turns in (messages, other)]
        longer = other if len(whole[1].ids) > len(whole[0].ids) else messages
        fitted = self.example(longer, max_length, last_turn_only=True)
        chosen, worse = (replace(one.behind(fitted.prompt), shortened=fitted.shortened) for one in whole)
        return chosen, worse

    def text(self, text: str, max_length: int | None = None) -> Rendered:
        """A bare text to learn from, without any template: begun as the tokenizer begins a text, ended by its stop token.

        Everything is trained but the first token, before which nothing stands. A text longer than ``max_length`` is cut
        at its end.

        Raises:
            TemplateError: the tokenizer has no end-of-sequence token; a model trained so would never stop (F01).
        """
        stop = self._tokenizer.eos_token_id
        if stop is None:
            raise TemplateError(
                "the tokenizer has no end-of-sequence token; a model trained so never stops",
                given="eos_token: null",
                allowed="a token that ends a text",
                fix="use a base whose tokenizer names its end-of-sequence token",
            )
        ids = list(self._tokenizer(text, truncation=False, verbose=False).input_ids)
        body = ids[:-1] if ids[-1:] == [stop] else ids  # some tokenizers put it there by themselves
        kept = body if max_length is None else body[: max_length - 1]
        return Rendered((*kept, stop), (False, *(True for _ in kept)), shortened=len(kept) < len(body))

    def written(self, messages: Sequence[Message], *, generate: bool) -> str:
        """The text of a conversation as the template writes it; with ``generate``, up to where the assistant begins to speak.

        Raises:
            TemplateError: the template refuses these messages.
        """
        return self._apply(messages, generate=generate)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids, without special tokens."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def answer_ids(self, text: str) -> list[int]:
        """Ids of a whole answer exactly as it is trained: its text and the stop token that this template puts behind it."""
        rendered = self._example((Message("user", "?"), Message("assistant", text)), last_turn_only=True)
        return [token for token, trained in zip(rendered.ids, rendered.mask, strict=True) if trained]

    def encode(self, text: str) -> list[int]:
        """Ids of a text as they stand inside an answer: nothing is added."""
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def _prompt(self, messages: Sequence[Message]) -> Rendered:
        segments: list[tuple[list[int], bool]] = []
        consumed = self._earlier_turns(messages, segments)
        text = self._apply(messages, generate=True)
        if not text.startswith(consumed):
            raise self._rewrites(len(messages))
        ids, _ = self._joined([*segments, (self.encode(text[len(consumed) :]), False)])
        return Rendered(ids, (False,) * len(ids))

    def _example(self, messages: Sequence[Message], last_turn_only: bool) -> Rendered:
        answers = [i for i, message in enumerate(messages) if message.role == "assistant"]
        if not answers:
            raise TemplateError("there is no assistant turn to learn from", given=", ".join(m.role for m in messages))
        segments: list[tuple[list[int], bool]] = []
        self._earlier_turns(messages, segments)
        if last_turn_only:
            last = max(i for i, (_, trained) in enumerate(segments) if trained)
            # the stop token of the last turn is a segment of its own, right behind the answer
            keep = {last - 1, last} if segments[last - 1][1] else {last}
            segments = [(ids, trained and i in keep) for i, (ids, trained) in enumerate(segments)]
        ids, mask = self._joined(segments)
        return Rendered(ids, mask)

    def _earlier_turns(self, messages: Sequence[Message], segments: list[tuple[list[int], bool]]) -> str:
        """Append the segments up to and with the last assistant turn; return the text they cover."""
        consumed = ""
        for position, message in enumerate(messages):
            if message.role != "assistant":
                continue
            before = self._apply(messages[:position], generate=True)
            whole = self._apply(messages[: position + 1], generate=False)
            if not before.startswith(consumed) or not whole.startswith(before):
                raise self._rewrites(position)
            spoken = whole[len(before) :]
            content = next((c for c in (message.content, message.content.strip()) if spoken.startswith(c)), None)
            if content is None:
                raise TemplateError(
                    f"the chat template changes the text of message {position + 1}",
                    given=f"an answer of {len(message.content):,} characters",  # its text may be personal: it stays out of errors
                    allowed="a template that keeps answers as they are",
                )
            stop, rest = self._split_stop(spoken[len(content) :], position)
            segments += [(self.encode(before[len(consumed) :]), False), (self.encode(content), True), (stop, True), (rest, False)]
            consumed = whole
        return consumed

    def _split_stop(self, tail: str, position: int) -> tuple[list[int], list[int]]:
        ids = self.encode(tail)
        end = next((i for i, token in enumerate(ids) if token in self.stop_ids), None)
        if end is None:
            raise TemplateError(
                f"the answer in message {position + 1} does not end in a stop token; a model trained so never stops",
                given=f"the template ends the turn with {tail!r}",
                allowed=f"one of {self._tokenizer.convert_ids_to_tokens(sorted(self.stop_ids))}",
                fix="use a base whose chat template ends each assistant turn with its end-of-sequence token",
            )
        return ids[: end + 1], ids[end + 1 :]

    def _joined(self, segments: Sequence[tuple[list[int], bool]]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        ids = tuple(token for part, _ in segments for token in part)
        mask = tuple(trained for part, trained in segments for _ in part)
        bos = self._tokenizer.bos_token_id
        # Some bases use one token both as BOS and as the mark before each turn; then two in a row are no fault.
        if bos is not None and bos not in self.stop_ids and ids[:2] == (bos, bos):
            raise TemplateError("the rendered text begins with two BOS tokens", given=self._tokenizer.bos_token)
        return ids, mask

    def _apply(self, messages: Sequence[Message], *, generate: bool) -> str:
        import jinja2

        try:
            text = self._tokenizer.apply_chat_template(
                [message.as_dict() for message in messages],
                chat_template=self._template,
                add_generation_prompt=generate,
                tokenize=False,
            )
        except (jinja2.TemplateError, TypeError, IndexError, ValueError) as error:
            roles = ", ".join(message.role for message in messages) or "no message before the first answer"
            raise TemplateError(
                "the base's chat template refuses these messages", given=f"{roles}: {error}", allowed="user first, then in turns"
            ) from error
        return str(text)

    def _rewrites(self, position: int) -> TemplateError:
        return TemplateError(
            f"the chat template changes what stands before message {position + 1} once it is there",
            allowed="a template under which a conversation only grows",
            fix="set train.last_turn_only, or split the conversation into single exchanges",
        )

    def _fitted(self, messages: Sequence[Message], max_length: int | None, render: Any) -> Rendered:
        rendered: Rendered = render(messages)
        if max_length is None or len(rendered.ids) <= max_length:
            return rendered
        turns = list(messages)
        while len(rendered.ids) > max_length:
            over = len(rendered.ids) - max_length
            longest = max((i for i, m in enumerate(turns) if m.role != "assistant"), key=lambda i: len(turns[i].content))
            content = turns[longest].content
            offsets = self._tokenizer(content, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            if len(offsets) <= over:
                raise TemplateError(
                    "the conversation does not fit, even with its longest question left out",
                    given=f"{len(rendered.ids)} tokens",
                    allowed=f"max_length {max_length}",
                    fix="raise train.max_length or shorten the answer",
                )
            turns[longest] = replace(turns[longest], content=content[: offsets[-over][0]])
            rendered = render(turns)
        return replace(rendered, shortened=True)
