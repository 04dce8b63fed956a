"""How likely is each of a fixed set of answers? Exact log-probabilities of all of them in one forward pass a batch.

The answers are laid out as a trie behind the prompt; a tree-shaped attention mask lets each node see the prompt and its
own ancestors only (as in SpecInfer, Miao et al. 2023). Twenty labels of four tokens cost some fifty tokens, not
twenty prompts.

    prompt ─► " Audit" ─► " Rights" ─► stop
           └► " License" ─► " Grant" ─► stop
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from hatrack.models.causal import prefill

__all__ = ["LabelTrie", "build_trie", "score_labels"]


@dataclass(frozen=True)
class LabelTrie:
    """All answers as one tree of tokens.

    Attributes:
        tokens: token of each inner node, parents before children; leaves need no forward pass and are left out.
        parents: inner node each hangs on; -1 is the prompt.
        steps: for each answer, its ``(inner node, next token)`` pairs; node -1 is the prompt.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    steps: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def depths(self) -> list[int]:
        """Depth of each inner node; children of the prompt have depth 0."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(0 if parent < 0 else depths[parent] + 1)
        return depths


def build_trie(answers: Sequence[Sequence[int]]) -> LabelTrie:
    """A trie over answers given as token ids, each ending in its stop token, so that none is the beginning of another."""
    nodes: dict[tuple[int, ...], int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    steps = []
    for answer in answers:
        path = []
        for length, token in enumerate(answer):
            prefix = tuple(answer[:length])
            if prefix and prefix not in nodes:
                nodes[prefix] = len(tokens)
                tokens.append(prefix[-1])
                parents.append(nodes.get(prefix[:-1], -1))
            path.append((nodes.get(prefix, -1), token))
        steps.append(tuple(path))
    return LabelTrie(tuple(tokens), tuple(parents), tuple(steps))


@torch.inference_mode()
def score_labels(model: nn.Module, prompts: Sequence[Sequence[int]], trie: LabelTrie) -> torch.Tensor:
    """Log-probability of each answer after each prompt: ``[prompts, answers]``, in nats."""
    scores = torch.empty(len(prompts), len(trie.steps))
    nodes = len(trie.tokens)
    # Logits of every node are needed at once: this bounds them to some 400 MB of a 50k vocabulary.
    for batch in prefill(model, prompts, tokens=max(256, min(4096, 2_000_000 // max(nodes, 1) // 10))):
        rows = len(batch.rows)
        logits = batch.logits[:, None]  # [rows, 1 + nodes, vocabulary]: the prompt first
        if nodes:
            out = model(
                input_ids=torch.tensor([trie.tokens]).expand(rows, -1),
                attention_mask=_tree_mask(trie, batch.mask, logits.dtype),
                position_ids=batch.positions[:, None] + torch.tensor([trie.depths]),
                past_key_values=batch.cache,
                use_cache=True,
            )
            logits = torch.cat([logits, out.logits], dim=1)
        normaliser = logits.float().logsumexp(-1)  # [rows, 1 + nodes]
        for column, path in enumerate(trie.steps):
            at = torch.tensor([node + 1 for node, _ in path])
            token = torch.tensor([token for _, token in path])
            scores[batch.rows, column] = (logits[:, at, token].float() - normaliser[:, at]).sum(1)
    return scores


def _tree_mask(trie: LabelTrie, prompt_mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Additive mask ``[rows, 1, nodes, prompt + nodes]``: 0 where a node may look, else the lowest number."""
    nodes = len(trie.tokens)
    own = torch.eye(nodes, dtype=torch.bool)
    for node, parent in enumerate(trie.parents):
        if parent >= 0:
            own[node] |= own[parent]
    rows = prompt_mask.shape[0]
    seen = torch.cat([prompt_mask.bool()[:, None, :].expand(rows, nodes, -1), own.expand(rows, nodes, nodes)], dim=2)
    return torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)[:, None]
