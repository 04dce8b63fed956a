"""Virtual tokens on a base that holds many: a prefix of keys and values, or embeddings that stand before every text.

Below a causal mask, what virtual tokens become does not depend on the text behind them. So embeddings are run through
the base once, when the adapter is attached, and only their keys and values are kept: `prompt-tuning` and `p-tuning` are
applied as `prefix-tuning` is, and cost nothing more for each request. An encoder looks both ways; there the embeddings
are put before each text and cut off again behind the last layer; the text keeps its positions, and pooling sees it alone.

Callers go on counting the text's own tokens: mask and positions are shifted here, and the virtual tokens lie in the cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from hatrack.models.adapters.folder import WEIGHTS, Allowed, foreign, read_config, read_tensors
from hatrack.models.adapters.switch import Variant, find, unwrap

__all__ = [
    "Held",
    "InputTokens",
    "PrefixTokens",
    "PromptTokens",
    "backbone_path",
    "cache_width",
    "fit_prefix",
    "fit_prompt",
    "flat_pairs",
    "is_causal",
]

_TENSOR = "prompt_embeddings"  # PEFT's name, for all three forms
_PEFT: Allowed = {
    "num_virtual_tokens": None,
    "token_dim": None,
    "num_layers": None,
    "num_attention_heads": None,
    "num_transformer_submodules": (1,),
    "encoder_hidden_size": None,
}
_PREFIX: Allowed = {**_PEFT, "peft_type": ("PREFIX_TUNING",), "prefix_projection": (True, False), "init_weights": None}
_PROMPT: Allowed = {
    **_PEFT,
    "peft_type": ("PROMPT_TUNING", "P_TUNING"),
    "prompt_tuning_init": ("RANDOM", "SAMPLE_VOCAB", "TEXT"),
    "prompt_tuning_init_text": None,
    "tokenizer_name_or_path": None,
    "encoder_reparameterization_type": ("MLP", "LSTM"),
    "encoder_num_layers": None,
    "encoder_dropout": None,
}

Pairs = list[tuple[torch.Tensor, torch.Tensor]]  # for each layer keys and values, [1, heads, tokens, d_head]


class Held(nn.Module):
    """A tensor where training has a module that makes one."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def forward(self) -> Any:
        """The tensor."""
        return self.value


class PrefixTokens(Variant):
    """Keys and values before every text: ``source`` makes ``[tokens, layers * 2 * heads * d_head]``, as PEFT lays them out."""

    def __init__(self, source: nn.Module, causal: bool) -> None:
        super().__init__()
        self.source, self._causal = source, causal

    def pairs(self, inner: nn.Module) -> Pairs:
        """The prefix, layer by layer."""
        config: Any = inner.config
        return _pairs(self.source(), config)

    def forward(self, inner: nn.Module, **kwargs: Any) -> Any:
        """As the base's trunk, with the prefix in its cache."""
        pairs = self.pairs(inner)
        tokens, ids = pairs[0][0].shape[2], kwargs.get("input_ids")
        rows, length = (ids if ids is not None else kwargs["inputs_embeds"]).shape[:2]
        cache = kwargs.get("past_key_values")
        if cache is None or cache.get_seq_length() == 0:
            cache = _filled(cache, inner, pairs, rows)
        mask, positions = kwargs.get("attention_mask"), kwargs.get("position_ids")
        if self._causal:
            positions = None if positions is None else positions + tokens
            mask = None if mask is None else _widened(mask, tokens)
        else:
            positions = _own_positions(inner, rows, length) if positions is None else positions
            mask = _seen_by_all(mask, rows, length, tokens)
        return inner(**kwargs | {"past_key_values": cache, "attention_mask": mask, "position_ids": positions})


class PromptTokens(PrefixTokens):
    """Embeddings before every text of a causal base: ``source`` makes ``[tokens, d]``; the base makes the prefix of them."""

    def pairs(self, inner: nn.Module) -> Pairs:
        cache = inner(inputs_embeds=self.source()[None], use_cache=True).past_key_values
        return [(layer.keys, layer.values) for layer in cache.layers]


class InputTokens(Variant):
    """Embeddings before every text of an encoder: ``source`` makes ``[tokens, d]``."""

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        self.source = source

    def forward(self, inner: nn.Module, *, input_ids: torch.Tensor, attention_mask: torch.Tensor, **kwargs: Any) -> Any:
        """As the encoder; the hidden states are those of the text."""
        prompt, embed = self.source(), inner.get_input_embeddings()  # type: ignore[operator]  # every encoder has it
        tokens, (rows, length) = len(prompt), input_ids.shape
        embedded = torch.cat([prompt[None].expand(rows, -1, -1), embed(input_ids)], dim=1)
        mask = torch.cat([attention_mask.new_ones(rows, tokens), attention_mask], dim=1)
        positions = _own_positions(inner, rows, length)
        if positions is not None:
            positions = torch.cat([positions[:, :1].expand(rows, tokens), positions], dim=1)
        out = inner(inputs_embeds=embedded, attention_mask=mask, position_ids=positions, **kwargs)
        out.last_hidden_state = out.last_hidden_state[:, tokens:]
        return out


def fit_prefix(folder: Path, root: nn.Module) -> dict[str, Variant]:
    """The form ``prefix-tuning``: see ``hatrack.models.adapters.base``."""
    config: Any = unwrap(root).config
    layers, heads, d_head = cache_width(config)
    tensor = _read(folder, _PREFIX, "a prefix of keys and values", 2 * layers * heads * d_head)
    path = backbone_path(root)
    return {path: PrefixTokens(Held(tensor), is_causal(find(root, path)))}


def fit_prompt(folder: Path, root: nn.Module) -> dict[str, Variant]:
    """The forms ``prompt-tuning`` and ``p-tuning``: see ``hatrack.models.adapters.base``."""
    config: Any = unwrap(root).config
    path, tensor = backbone_path(root), _read(folder, _PROMPT, "embeddings of virtual tokens", config.hidden_size)
    trunk = unwrap(find(root, path))
    if not is_causal(trunk):
        return {path: InputTokens(Held(tensor))}
    with torch.no_grad():
        pairs = PromptTokens(Held(tensor), causal=True).pairs(trunk)
    return {path: PrefixTokens(Held(flat_pairs(pairs)), causal=True)}


def backbone_path(root: nn.Module) -> str:
    """Where the trunk of a base is, without its output head; ``""`` where the base is the trunk."""
    prefix = str(getattr(unwrap(root), "base_model_prefix", ""))
    return prefix if prefix in unwrap(root)._modules else ""


def cache_width(config: Any) -> tuple[int, int, int]:
    """Layers, heads of keys and values, and size of a head, by the base's config."""
    heads = int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    d_head = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    return int(config.num_hidden_layers), heads, d_head


def _read(folder: Path, allowed: Allowed, what: str, width: int) -> torch.Tensor:
    config = read_config(folder, allowed, what, positive=("num_virtual_tokens",))
    tensors: dict[str, torch.Tensor] = read_tensors(folder / WEIGHTS)
    tensor, expected = tensors.get(_TENSOR), (config["num_virtual_tokens"], width)
    if not isinstance(tensor, torch.Tensor) or len(tensors) != 1 or tuple(tensor.shape) != expected:
        raise foreign(folder, ", ".join(f"{key} {tuple(t.shape)}" for key, t in tensors.items()), f"{_TENSOR} {expected}")
    return tensor.float()


def is_causal(trunk: nn.Module) -> bool:
    """Whether the trunk's attention looks back only."""
    return any(getattr(module, "is_causal", False) for module in trunk.modules())


def _pairs(flat: torch.Tensor, config: Any) -> Pairs:
    layers, heads, d_head = cache_width(config)
    split = flat.view(len(flat), 2 * layers, heads, d_head).permute(1, 2, 0, 3)[:, None]  # [2 * layers, 1, heads, tokens, d_head]
    return [(split[2 * i], split[2 * i + 1]) for i in range(layers)]


def flat_pairs(pairs: Pairs) -> torch.Tensor:
    """Keys and values of every layer, each ``[1, heads, tokens, d_head]``, as ``[tokens, layers * 2 * heads * d_head]``."""
    stacked = torch.cat([half for pair in pairs for half in pair])  # [2 * layers, heads, tokens, d_head]
    return stacked.permute(2, 0, 1, 3).reshape(stacked.shape[2], -1)


def _filled(cache: Any, inner: Any, pairs: Pairs, rows: int) -> Any:
    from transformers import DynamicCache

    filled = DynamicCache(config=inner.config) if cache is None else cache
    for number, (keys, values) in enumerate(pairs):
        filled.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), number)
    return filled


def _own_positions(inner: nn.Module, rows: int, length: int) -> torch.Tensor | None:
    """The positions an encoder gives a text of its own accord, ``[rows, length]``: virtual tokens must not move it.

    None where positions are not embedded but rotated, and only distances count.
    """
    embeddings = getattr(inner, "embeddings", None)
    if not hasattr(embeddings, "position_embeddings"):
        return None
    padding = getattr(embeddings, "padding_idx", None)  # RoBERTa counts from behind its padding's position
    return torch.arange(length).expand(rows, length) + (0 if padding is None else padding + 1)


def _widened(mask: torch.Tensor, tokens: int) -> torch.Tensor:
    """A mask ``[rows, keys]`` of ones and zeros, or ``[rows, 1, queries, keys]``, with ``tokens`` more keys that all may see."""
    if mask.dim() == 2:
        seen = mask.new_ones(len(mask), tokens)
    else:
        shape = (*mask.shape[:-1], tokens)
        seen = mask.new_ones(shape) if mask.dtype == torch.bool else mask.new_zeros(shape)
    return torch.cat([seen, mask], dim=-1)


def _seen_by_all(mask: torch.Tensor | None, rows: int, length: int, tokens: int) -> torch.Tensor:
    """What an encoder may look at, added to its scores: ``[rows, 1, length, tokens + length]``."""
    real = torch.ones(rows, length) if mask is None else mask.float()
    hidden = (1 - _widened(real, tokens)) * torch.finfo(torch.float32).min
    return hidden[:, None, None].expand(-1, 1, length, -1)
