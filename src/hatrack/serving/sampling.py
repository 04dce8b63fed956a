"""The next token of one answer from its logits.

Each answer has its own generator: a seed means the same beside any neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hatrack.serving.request import SamplingParams, TokenChoice

__all__ = ["Sampler"]


class Sampler:
    """Chooses tokens for one sequence."""

    def __init__(self, params: SamplingParams) -> None:
        self._params = params
        self._generator: torch.Generator | None = None
        if params.temperature > 0:
            self._generator = torch.Generator()
            if params.seed is None:
                self._generator.seed()
            else:
                self._generator.manual_seed(params.seed)

    def choose(self, logits: torch.Tensor, allowed: torch.Tensor | None = None) -> TokenChoice:
        """One token from ``[vocabulary]`` logits; ``allowed`` is a boolean mask of the same length.

        Reported log-probabilities are the model's own, before temperature and truncation, as OpenAI's are.
        """
        masked = logits if allowed is None else logits.masked_fill(~allowed, -torch.inf)
        token = int(masked.argmax()) if self._generator is None else self._draw(masked, self._generator)
        if self._params.logprobs is None:
            return TokenChoice(token, 0.0)
        logprobs = torch.log_softmax(logits.float(), dim=-1)
        top: Sequence[tuple[int, float]] = ()
        if self._params.logprobs:
            best = logprobs.topk(min(self._params.logprobs, len(logprobs)))
            top = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
        return TokenChoice(token, float(logprobs[token]), tuple(top))

    def _draw(self, logits: torch.Tensor, generator: torch.Generator) -> int:
        """Temperature, then the ``top_k`` likeliest, then the nucleus (Holtzman et al. 2020)."""
        params = self._params
        scaled = logits.float() / params.temperature
        values, order = scaled.sort(descending=True) if params.top_p < 1 or params.top_k else (scaled, None)
        if params.top_k:
            values = values[: params.top_k]
        probabilities = torch.softmax(values, dim=-1)
        if params.top_p < 1:
            before = probabilities.cumsum(-1) - probabilities
            probabilities = probabilities.masked_fill(before >= params.top_p, 0.0)
        place = int(torch.multinomial(probabilities, 1, generator=generator))
        return place if order is None else int(order[place])
