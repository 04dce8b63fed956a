"""Which architectures the kernels compute, and their sizes, from the model's own config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["TARGETS", "DecoderShape", "Precision", "read_shape", "rotary"]

Precision = Literal["int8", "bf16", "fp32"]

# Linear layers of a block that an adapter may change, in the order of their slots.
TARGETS = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)

_ARCHITECTURES = {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM"}  # SmolLM2 is a Llama
_ROTARY = {"default", "linear", "llama3"}  # frequencies that do not change while a sequence grows


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of a Llama-like decoder."""

    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int
    eps: float

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """``(d_in, d_out)`` of each of ``TARGETS``."""
        q, kv = self.heads * self.head, self.kv_heads * self.head
        w, i = self.width, self.inner
        return ((w, q), (w, kv), (w, kv), (q, w), (w, i), (w, i), (i, w))


def read_shape(config: Mapping[str, Any]) -> DecoderShape | None:
    """The shape of a model whose every detail the kernels compute; None for any other, which runs its own modules."""
    known = set(config.get("architectures") or ()) <= _ARCHITECTURES and bool(config.get("architectures"))
    plain = (
        config.get("hidden_act") == "silu"
        and not config.get("mlp_bias")
        and not config.get("attention_bias")
        and not config.get("use_sliding_window")
        and (config.get("sliding_window") is None or config.get("model_type") == "qwen2")
        and rotary(config).get("rope_type", "default") in _ROTARY
        and rotary(config).get("partial_rotary_factor", 1.0) == 1.0
    )
    if not known or not plain:
        return None
    heads = int(config["num_attention_heads"])
    head = int(config.get("head_dim") or config["hidden_size"] // heads)
    return DecoderShape(
        layers=int(config["num_hidden_layers"]),
        width=int(config["hidden_size"]),
        inner=int(config["intermediate_size"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head=head,
        vocabulary=int(config["vocab_size"]),
        eps=float(config["rms_norm_eps"]),
    )


def rotary(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Both names that models' configs use; the older one keeps theta outside."""
    found: Mapping[str, Any] = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return {"rope_type": found.get("type", "default"), **found}
