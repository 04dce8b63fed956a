"""LLaMA-Adapter on a base that holds many: gated attention to learned prompts, added to a layer's own attention.

y = attention(x) + gate · softmax(q Kᵀ / √d) V · W_o   with K, V made from the layer's prompt by its own projections
(Zhang et al. 2023, https://arxiv.org/abs/2303.16199). K and V do not depend on the text and are made once.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.folder import WEIGHTS, Allowed, foreign, read_config, read_tensors
from hatrack.models.adapters.lora import PREFIX
from hatrack.models.adapters.switch import Variant, find, unwrap

__all__ = ["GatedPrompt", "fit_adaption_prompt"]

_ALLOWED: Allowed = {"peft_type": ("ADAPTION_PROMPT",), "adapter_len": None, "adapter_layers": None}
_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")
_PARTS = "one adaption_prompt and one adaption_gate for each adapted attention"


class GatedPrompt(Variant):
    """Attention that also sees ``keys`` and ``values [heads, tokens, d_head]``, scaled by ``gate``."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, gate: torch.Tensor) -> None:
        super().__init__()
        self.keys, self.values, self.gate = keys, values, gate

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"keys": self.keys, "values": self.values, "gate": self.gate}

    def forward(self, inner: nn.Module, hidden_states: torch.Tensor, **kwargs: Any) -> Any:
        """As the attention of the Llama family: ``hidden_states [n, t, d]`` to a tuple whose first is ``[n, t, d]``."""
        attention: Any = inner
        out = attention(hidden_states=hidden_states, **kwargs)
        rows, length = hidden_states.shape[:2]
        query = attention.q_proj(hidden_states).view(rows, length, -1, attention.head_dim).transpose(1, 2)
        cos, sin = (part.unsqueeze(1) for part in kwargs["position_embeddings"])
        half = query.shape[-1] // 2
        query = query * cos + torch.cat([-query[..., half:], query[..., :half]], dim=-1) * sin
        scores = torch.softmax(query @ self.keys.transpose(1, 2) / math.sqrt(attention.head_dim), dim=-1)
        seen = (self.gate * scores @ self.values).transpose(1, 2).reshape(rows, length, -1)
        return (out[0] + attention.o_proj(seen), *out[1:])


def fit_adaption_prompt(folder: Path, root: nn.Module) -> dict[str, Variant]:
    """The form ``adaption-prompt``: see ``hatrack.models.adapters.base``."""
    read_config(folder, _ALLOWED, "LLaMA-Adapter")
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in read_tensors(folder / WEIGHTS).items():
        path, _, part = key.removeprefix(PREFIX).rpartition(".adaption_")
        if not key.startswith(PREFIX) or part not in ("prompt", "gate"):
            raise foreign(folder, f"tensor {key}", _PARTS)
        parts.setdefault(path, {})[part] = tensor.float()
    width = int(unwrap(root).config.hidden_size)  # type: ignore[union-attr, arg-type]  # bases carry a config
    variants: dict[str, Variant] = {}
    for path, found in parts.items():
        prompt, gate = found.get("prompt"), found.get("gate")
        if prompt is None or gate is None or prompt.dim() != 3 or prompt.shape[0] != 1 or prompt.shape[2] != width or gate.numel() != 1:
            raise foreign(folder, f"{path}: { {part: tuple(tensor.shape) for part, tensor in found.items()} }", _PARTS)
        variants[path] = _fitted(unwrap(find(root, path)), prompt, gate, path)
    if not variants:
        raise foreign(folder, "no prompts at all", _PARTS)
    return variants


@torch.no_grad()
def _fitted(attention: nn.Module, prompt: torch.Tensor, gate: torch.Tensor, path: str) -> GatedPrompt:
    if not all(isinstance(unwrap(child), nn.Linear) for child in (getattr(attention, name, nn.Identity()) for name in _PROJECTIONS)):
        raise AdapterBroken(
            "the adapter stands on an attention that the base does not have",
            given=path,
            allowed=f"one with {', '.join(_PROJECTIONS)}, as the Llama family has",
            fix="use the base it was trained on",
        )
    d_head, heads = cast(int, attention.head_dim), _linear(attention, "q_proj").out_features
    halves = []
    for name in ("k_proj", "v_proj"):
        half = _linear(attention, name)(prompt)[0].view(prompt.shape[1], -1, d_head).transpose(0, 1)
        halves.append(half.repeat_interleave(heads // d_head // len(half), dim=0))  # grouped queries share keys and values
    return GatedPrompt(halves[0], halves[1], gate)


def _linear(attention: nn.Module, name: str) -> nn.Linear:
    return cast(nn.Linear, unwrap(attention.get_submodule(name)))
