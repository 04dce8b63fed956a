"""What the methods share that train virtual tokens: PEFT's encoders make them, our own switch puts them before the text.

PEFT's wrapping would do that in the outermost forward pass, past which a loss on labelled positions alone cannot look,
and would count the virtual tokens as the text's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from peft import PeftConfig
from pydantic import BaseModel, Field
from torch import Tensor, nn

from hatrack.core.strict import Strict
from hatrack.models.adapters.switch import Variant
from hatrack.models.adapters.virtual import InputTokens, PromptTokens, backbone_path
from hatrack.models.loading import Kind
from hatrack.training.methods.peft_backed import plain_config
from hatrack.training.methods.placed import PlacedMethod

__all__ = ["Source", "TokenOptions", "VirtualTokens", "shaken", "start_ids"]


class TokenOptions(Strict):
    """How many virtual tokens."""

    tokens: int = Field(10, ge=1, le=512, description="Virtual tokens before every text.")


class Source(nn.Module):
    """An encoder of PEFT and the virtual tokens it encodes: ``[tokens, width]``."""

    def __init__(self, encoder: nn.Module, tokens: int) -> None:
        super().__init__()
        self.encoder, self._tokens = encoder, tokens

    def forward(self) -> Any:
        """What stands before the text."""
        return self.encoder(torch.arange(self._tokens)[None])[0]


def start_ids(base: nn.Module, tokens: int) -> Tensor:
    """Ids that virtual tokens start from: the base's padding, which disturbs what it knows less than drawn words do."""
    config: Any = base.config
    pad = config.pad_token_id if config.pad_token_id is not None else config.eos_token_id
    return torch.full((1, tokens), int((pad[0] if isinstance(pad, list) else pad) or 0))


def shaken(start: Tensor) -> Tensor:
    """``start`` with a tenth of its own spread as noise: tokens that are all alike would stay so."""
    spread = float(start.std()) or 1.0  # a base that was never trained has zeros for its padding
    return start + 0.1 * spread * torch.randn_like(start)


class VirtualTokens(PlacedMethod):
    """A subclass says which encoder of PEFT makes the tokens."""

    def encoder(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, PeftConfig]:
        """The module to train, and PEFT's config of it."""
        raise NotImplementedError  # abstract

    def variant(self, source: Source, kind: Kind) -> Variant:
        """How the tokens enter: by default as embeddings."""
        return PromptTokens(source, causal=True) if kind == "causal" else InputTokens(source)

    def variants(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[dict[str, Variant], dict[str, Any], dict[str, int]]:
        (encoder, config), tokens = self.encoder(base, options, kind), cast(TokenOptions, options).tokens
        variants = {backbone_path(base): self.variant(Source(encoder, tokens), kind)}
        return variants, plain_config(config), {"virtual tokens": tokens}

    @torch.no_grad()
    def tensors(self, placed: Mapping[str, Variant]) -> dict[str, Tensor]:
        (variant,) = placed.values()
        source: Any = variant.source
        return {"prompt_embeddings": source()}
