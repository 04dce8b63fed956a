"""One base in memory and the adapters on it. Attaching checks everything; switching is one assignment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from hatrack.core.digest import sha256_text
from hatrack.core.errors import AdapterBroken, AdapterMismatch, AdapterNotFound
from hatrack.core.names import BASE
from hatrack.models.adapters.base import read_variants
from hatrack.models.adapters.folder import HEAD, AdapterCard, read_card, read_tensors
from hatrack.models.adapters.probe import verify_probe
from hatrack.models.adapters.switch import Active, Switch, place, remove, tensor_bytes
from hatrack.models.causal import last_logits
from hatrack.models.encoder import CosineHead, embed, pad_right, token_batches
from hatrack.models.loading import BaseModelFiles, load_module
from hatrack.models.render import ChatRenderer

__all__ = ["AttachedAdapter", "ModelHost", "text_template_hash"]

_TEXT_TEMPLATE = "text/1"  # encoders read the bare text: tokenizer's own special tokens around it


@dataclass(frozen=True)
class AttachedAdapter:
    """An adapter that lies on the base.

    Attributes:
        key: the name its variants are stored under; callers use the adapter's digest.
        layers: paths of the modules it changes; ``""`` is the base as a whole.
    """

    key: str
    card: AdapterCard
    layers: tuple[str, ...]
    nbytes: int
    head: CosineHead | None


class ModelHost:
    """A base model that any number of adapters share. Not thread-safe: one owner, see ``hatrack.serving``."""

    def __init__(self, files: BaseModelFiles) -> None:
        self.files = files
        self.adapters: dict[str, AttachedAdapter] = {}
        self._active = Active()
        self.module: Any = Switch(load_module(files), self._active)

    @cached_property
    def renderer(self) -> ChatRenderer:
        """Messages to ids, with this base's own template."""
        return ChatRenderer(self.files.tokenizer, self.files.stop_ids)

    @property
    def template_hash(self) -> str:
        """What an adapter's own template hash must equal (F06)."""
        return self.renderer.template_hash if self.files.kind == "causal" else text_template_hash()

    def attach(self, key: str, folder: Path) -> AttachedAdapter:
        """Put the adapter in ``folder`` on the base, under ``key``. On any error the base is as it was.

        Raises:
            AdapterMismatch: trained on another base (F19) or with another template (F06).
            AdapterBroken: damaged files, layers that do not fit, or a probe that is not reproduced (F18).
            ValueError: the key is taken, or is ``base``.
        """
        if key == BASE or key in self.adapters:
            raise ValueError(f"the key {key!r} is taken")  # two adapters under one key would mix their layers
        card = read_card(folder)
        self._check_card(card)
        head = self._head(folder, card)
        with self.using(BASE):  # some forms ask the base what it makes of their tokens
            variants = read_variants(folder, self.module)
        place(self.module, variants, key, self._active)
        adapter = AttachedAdapter(key, card, tuple(variants), tensor_bytes(variants), head)
        self.adapters[key] = adapter
        try:
            with self.using(key):
                verify_probe(folder, lambda inputs: self.probe_logits(inputs, head))
        except BaseException:
            self.detach(key)
            raise
        return adapter

    def detach(self, key: str) -> None:
        """Take an adapter off the base and free its memory."""
        remove(self.module, self.adapters.pop(key).layers, key)

    @contextlib.contextmanager
    def using(self, key: str) -> Iterator[AttachedAdapter | None]:
        """Apply one adapter, or ``base`` for none, inside the block. Nothing is copied or loaded.

        Raises:
            AdapterNotFound: nothing was attached under ``key``; the base does not answer in its place (F23).
        """
        if key != BASE and key not in self.adapters:
            raise AdapterNotFound("this adapter does not lie on the base", given=key[:12], fix="attach it first")
        before, self._active.name = self._active.name, key
        try:
            yield self.adapters.get(key)
        finally:
            self._active.name = before

    def embed_ids(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Normalised embeddings ``[rows, d]`` of tokenised texts, with the adapter that is in use."""
        out = torch.empty(len(rows), self.module.config.hidden_size)
        with torch.inference_mode():
            for batch in token_batches(rows, 4096):
                ids, mask = pad_right([rows[i] for i in batch], self.files.tokenizer.pad_token_id or 0)
                out[batch] = embed(self._encode, ids, mask)
        return out

    def _encode(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """The base as an encoder; of one that generates, the states that its output head would read."""
        if self.files.kind == "encoder":
            return self.module(input_ids=input_ids, attention_mask=attention_mask)
        out = self.module(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True, logits_to_keep=1, use_cache=False)
        # an adapter may have put virtual tokens before the text
        return SimpleNamespace(last_hidden_state=out.hidden_states[-1][:, -input_ids.shape[1] :])

    def tokenize(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Ids of bare texts for an encoder, with its special tokens, cut at ``max_length``."""
        tokenizer: Any = self.files.tokenizer
        return [list(ids) for ids in tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]]

    def probe_logits(self, inputs: Sequence[Sequence[int]], head: CosineHead | None) -> torch.Tensor:
        """What a probe compares: next-token logits, or class logits where there is a head."""
        if head is None:
            return last_logits(self.module, inputs)
        with torch.inference_mode():
            logits: torch.Tensor = head(self.embed_ids(inputs))
            return logits

    def _check_card(self, card: AdapterCard) -> None:
        if card.base_fingerprint != self.files.fingerprint:
            raise AdapterMismatch(
                "this adapter was trained on another base model",
                given=f"base fingerprint {card.base_fingerprint[:12]}",
                allowed=f"{self.files.fingerprint[:12]} ({self.files.spec})",
                fix="set `base` in hatrack.yaml to the base it was trained on, or train it again",
            )
        if card.template_hash != self.template_hash:
            raise AdapterMismatch(
                "this adapter was trained with another chat template",
                given=f"template {card.template_hash[:12]}",
                allowed=f"{self.template_hash[:12]} (the base's own)",
                fix="restore the base's chat template, or train the adapter again",
            )

    def _head(self, folder: Path, card: AdapterCard) -> CosineHead | None:
        if card.task != "classify":
            return None
        tensors = read_tensors(folder / HEAD)
        weight = tensors.get("weight")
        if weight is None or len(tensors) != 1 or weight.shape != (len(card.labels), self.module.config.hidden_size):
            raise AdapterBroken(
                "the classifier's head does not fit",
                given=", ".join(f"{name} {tuple(t.shape)}" for name, t in tensors.items()),
                allowed=f"weight ({len(card.labels)}, {self.module.config.hidden_size})",
                fix="train the adapter again",
            )
        return CosineHead(weight.float(), card.head_scale or 1.0)


def text_template_hash() -> str:
    """The template hash of adapters whose base reads bare text."""
    return sha256_text(_TEXT_TEMPLATE)
