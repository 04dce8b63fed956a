"""Generation with a causal LM in batches: prefill, decode, and exact scoring of a fixed set of answers.

Prompts that begin alike (a system prompt with the list of labels, say) share the keys and values of that beginning: it
is computed once for each call. Rows are padded on the left, so the last position is always a real token.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hatrack.models.encoder import token_batches

__all__ = ["Generated", "Sampling", "generate", "last_logits", "prefill", "shared_prefix"]

_LEAST_SHARED = 8  # a shorter common beginning is not worth a cache of its own
_TOKENS = 4096  # padded tokens in one forward pass: about 0.5 GB of activations on a 135M model


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. ``temperature`` 0 is greedy."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True)
class Generated:
    """One answer: its ids without the stop token, and whether a stop token ended it."""

    ids: tuple[int, ...]
    stopped: bool


@dataclass
class _Batch:
    """A prefilled batch: cache, attention mask ``[n, keys]``, positions of the next token ``[n]``, last logits ``[n, v]``."""

    rows: list[int]
    cache: Any
    mask: torch.Tensor
    positions: torch.Tensor
    logits: torch.Tensor


@torch.inference_mode()
def generate(
    model: nn.Module,
    prompts: Sequence[Sequence[int]],
    stop_ids: frozenset[int],
    sampling: Sampling,
    on_token: Callable[[int, int], None] | None = None,
) -> list[Generated]:
    """Answer every prompt. ``on_token(row, id)`` is called as tokens come, for a screen that wants to show them."""
    answers: list[list[int]] = [[] for _ in prompts]
    stopped = [False] * len(prompts)
    generator = torch.Generator()
    if sampling.seed is not None:
        generator.manual_seed(sampling.seed)
    else:
        generator.seed()
    for batch in prefill(model, prompts):
        running = torch.ones(len(batch.rows), dtype=torch.bool)
        logits = batch.logits
        for step in range(sampling.max_new_tokens):
            chosen = _choose(logits, sampling, generator)
            for i, (row, token) in enumerate(zip(batch.rows, chosen.tolist(), strict=True)):
                if not running[i]:
                    continue
                if token in stop_ids:
                    stopped[row], running[i] = True, False
                else:
                    answers[row].append(token)
                    if on_token is not None:
                        on_token(row, token)
            if not running.any() or step + 1 == sampling.max_new_tokens:
                break
            batch.mask = torch.cat([batch.mask, torch.ones(len(batch.rows), 1, dtype=torch.long)], dim=1)
            logits = model(
                input_ids=chosen[:, None],
                attention_mask=batch.mask,
                position_ids=batch.positions[:, None],
                past_key_values=batch.cache,
                use_cache=True,
            ).logits[:, -1]
            batch.positions = batch.positions + 1
    return [Generated(tuple(ids), end) for ids, end in zip(answers, stopped, strict=True)]


@torch.inference_mode()
def last_logits(model: nn.Module, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
    """Logits of the token after each prompt: ``[prompts, vocabulary]``."""
    out: list[torch.Tensor] = [torch.empty(0)] * len(prompts)
    for batch in prefill(model, prompts):
        for i, row in enumerate(batch.rows):
            out[row] = batch.logits[i].float()
    return torch.stack(out)


def prefill(model: nn.Module, prompts: Sequence[Sequence[int]], tokens: int = _TOKENS) -> Iterator[_Batch]:
    """Run the prompts through the model in batches of similar length, sharing their common beginning."""
    shared = shared_prefix(prompts)
    first: Any = None
    if shared:
        ids = torch.tensor([list(prompts[0][:shared])])
        first = model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
    rests = [list(prompt[shared:]) for prompt in prompts]
    for rows in token_batches(rests, tokens):
        longest = max(len(rests[row]) for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        real = torch.zeros(len(rows), longest, dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, longest - len(rests[row]) :] = torch.tensor(rests[row])
            real[i, longest - len(rests[row]) :] = 1
        mask = torch.cat([torch.ones(len(rows), shared, dtype=torch.long), real], dim=1)
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, shared:]
        cache = None
        if first is not None:
            cache = copy.deepcopy(first)
            cache.batch_repeat_interleave(len(rows))
        out = model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1)
        yield _Batch(rows, out.past_key_values, mask, mask.sum(1), out.logits[:, -1])


def shared_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """How many leading tokens all prompts have in common; 0 where sharing is not worth it. At least one token stays."""
    if len(prompts) < 2:
        return 0
    low, high = min(prompts, key=tuple), max(prompts, key=tuple)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    same = min(same, min(len(prompt) for prompt in prompts) - 1)
    return same if same >= _LEAST_SHARED else 0


def _choose(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> torch.Tensor:
    """The next token of each row: ``[n, vocabulary]`` to ``[n]``. Nucleus sampling after Holtzman et al. 2020."""
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    probabilities = torch.softmax(logits.float() / sampling.temperature, dim=-1)
    if sampling.top_p < 1:
        ordered, order = probabilities.sort(dim=-1, descending=True)
        outside = ordered.cumsum(-1) - ordered >= sampling.top_p
        probabilities = torch.zeros_like(probabilities).scatter(-1, order, ordered.masked_fill(outside, 0.0))
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)
