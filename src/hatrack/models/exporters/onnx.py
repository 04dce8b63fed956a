"""``onnx``: a classifier or an embedder for onnxruntime, in full precision and with weights in 8 bits.

Inputs are ``input_ids`` and ``attention_mask``, both ``[batch, tokens]``. A classifier gives ``logits`` ``[batch, labels]``
and, as an embedder does, ``sentence_embedding`` ``[batch, d]``: the mean of the last hidden states over real tokens, scaled
to length one.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hatrack.core.errors import ConfigError
from hatrack.core.extras import require
from hatrack.models.encoder import CosineHead, embed
from hatrack.models.exporters.base import Foreign, Part, Source
from hatrack.models.exporters.folder import LABELS, write_tokenizer
from hatrack.models.exporters.tools.onnxruntime import OnnxSession

__all__ = ["Onnx"]

_PRECISIONS = {"FP32": "model.onnx", "INT8": "model-int8.onnx"}
_EMBEDDING = "sentence_embedding"
_OPSET = 20


class Onnx:
    """``model.onnx`` and ``model-int8.onnx``."""

    name = "onnx"
    summary = "a classifier or an embedder for onnxruntime, FP32 and INT8"
    library = "onnx"

    def refusal(self, source: Source) -> str:
        if source.files.kind != "encoder":
            return "only encoders: classifiers with a head, and the base as an embedder"
        if source.folder is None and _first_token(source):
            return "this embedder takes the first token's state; only the mean over tokens is written"
        return source.unfoldable()

    def write(self, source: Source, folder: Path) -> tuple[Part, ...]:
        wanted = [_known(name) for name in source.precisions or _PRECISIONS]
        require("onnxscript", extra="onnx", reason="the format onnx")
        quantization: Any = require("onnxruntime.quantization", extra="onnx", reason="the format onnx")
        full = folder / _PRECISIONS["FP32"]
        _export(source, full)
        if "INT8" in wanted:
            with _quietly():
                quantization.quantize_dynamic(str(full), str(folder / _PRECISIONS["INT8"]), weight_type=quantization.QuantType.QInt8)
        if "FP32" not in wanted:
            full.unlink()
        beside = write_tokenizer(source, folder)
        if source.card is not None:
            (folder / LABELS).write_text(json.dumps(source.card.labels, ensure_ascii=False, indent=1), encoding="utf-8")
            beside = (*beside, LABELS)
        return tuple(Part(name, (_PRECISIONS[name], *beside), full=name == "FP32") for name in dict.fromkeys(wanted))

    def open(self, source: Source, folder: Path, part: Part) -> Foreign:
        return OnnxSession(folder / part.files[0], "logits" if source.classifies else _EMBEDDING)

    def usage(self, source: Source, parts: Sequence[Part]) -> str:
        output = "logits" if source.classifies else _EMBEDDING
        longest = source.card.max_length if source.card else source.files.positions or 512
        best = [f'print(json.load(open("{LABELS}"))[out.argmax()])'] if source.classifies else []
        return "\n".join(
            [
                "```python",
                "import json",
                "import numpy as np, onnxruntime",
                "from tokenizers import Tokenizer",
                "",
                'tokenizer = Tokenizer.from_file("tokenizer.json")',
                f"tokenizer.enable_truncation({longest})",
                'ids = np.array([tokenizer.encode("some text").ids])',
                f'session = onnxruntime.InferenceSession("{parts[0].files[0]}")',
                f'[out] = session.run(["{output}"], {{"input_ids": ids, "attention_mask": np.ones_like(ids)}})',
                *best,
                "```",
            ]
        )


def _first_token(source: Source) -> bool:
    """Whether the base's own files say, as sentence-transformers does, that it does not pool by the mean."""
    path = source.files.folder / "1_Pooling" / "config.json"
    return path.is_file() and bool(json.loads(path.read_text(encoding="utf-8")).get("pooling_mode_cls_token"))


class _Graph(nn.Module):
    """What the file computes."""

    def __init__(self, encoder: Any, head: CosineHead | None) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """``[n, t]`` to class logits ``[n, labels]``, if there is a head, and embeddings ``[n, d]``."""
        vectors = embed(self.encoder, input_ids, attention_mask)
        return (vectors,) if self.head is None else (self.head(vectors), vectors)


def _export(source: Source, target: Path) -> None:
    graph = _Graph(source.module, source.head if source.classifies else None).eval()
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    batch, tokens = torch.export.Dim("batch"), torch.export.Dim("tokens", max=source.files.positions or 512)
    with _quietly():
        torch.onnx.export(
            graph,
            (ids, mask),
            str(target),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits", _EMBEDDING] if source.classifies else [_EMBEDDING],
            dynamic_shapes=({0: batch, 1: tokens}, {0: batch, 1: tokens}),
            dynamo=True,
            external_data=False,
            opset_version=_OPSET,
            verbose=False,
        )


def _known(name: str) -> str:
    if name.upper() not in _PRECISIONS:
        raise ConfigError(
            "this precision cannot be written here", given=name, allowed=", ".join(_PRECISIONS), fix="see `hatrack export --help`"
        )
    return name.upper()


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Both libraries tell a user about their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
