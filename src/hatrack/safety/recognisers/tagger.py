"""Names and addresses from a token classifier in ONNX: words get the sum of their label's probability, neighbours are joined."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hatrack.core.extras import require
from hatrack.safety.recognisers.base import Finding

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Tagger"]

TYPES = {
    "GIVEN_NAME": "PERSON",
    "SURNAME": "PERSON",
    "BUILDING_NUMBER": "LOCATION",
    "STREET_NAME": "LOCATION",
    "SECONDARY_ADDRESS": "LOCATION",
    "CITY": "LOCATION",
    "STATE": "LOCATION",
    "ZIP_CODE": "LOCATION",
}
OTHER = "OTHER"  # numbers and addresses of the net: patterns know them better
WORD = re.compile(r"\w+")
JOINED = re.compile(r"\s*[,.\-/()']?\s*")  # what stands between two parts of one name or address
TOKENS, SHARED = 512, 64  # longest input of the model, and how much two windows of a longer text share
LEAST = 0.3  # probability that a word is personal at all; a missed name is worse than a masked word
SCORE = 0.6


class Tagger:
    """A BERT token classifier with BIO labels, run by onnxruntime on one thread.

    Args:
        folder: holds ``config.json``, ``tokenizer.json`` and ``onnx/model_q4.onnx``.

    Raises:
        MissingExtra: onnxruntime is not installed.
    """

    types = frozenset(TYPES.values())

    def __init__(self, folder: Path) -> None:
        runtime = require("onnxruntime", extra="pii", reason="finding names and addresses")
        from tokenizers import Tokenizer

        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = runtime.InferenceSession(str(folder / "onnx" / "model_q4.onnx"), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(TOKENS, stride=SHARED)
        labels: dict[str, str] = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
        self._columns: dict[str, list[int]] = {}
        for number, label in labels.items():
            if label != "O":
                self._columns.setdefault(TYPES.get(label[2:], OTHER), []).append(int(number))

    def find(self, text: str) -> list[Finding]:
        """Persons and places; parts of one name or one address are one finding."""
        found: list[Finding] = []
        for start, end, kind in self._words(text):
            if found and found[-1].type == kind and JOINED.fullmatch(text, found[-1].end, start):
                found[-1] = Finding(kind, found[-1].start, end, SCORE)
            else:
                found.append(Finding(kind, start, end, SCORE))
        return found

    def _words(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Start, end and type of each word that is personal."""
        words = [match.span() for match in WORD.finditer(text)]
        encoding = self._tokenizer.encode(text)
        at = 0
        for window in (encoding, *encoding.overflowing):
            probabilities, offsets = self._probabilities(window), window.offsets
            last = max((end for _, end in offsets), default=0)
            token = 0
            while at < len(words) and words[at][1] <= last:
                start, end = words[at]
                while token < len(offsets) and offsets[token][1] <= start:
                    token += 1  # special tokens are (0, 0) and fall behind too
                inside = token
                while inside < len(offsets) and start <= offsets[inside][0] < end:
                    inside += 1
                at += 1
                if inside == token:
                    continue
                share = {kind: float(probabilities[token:inside, columns].sum(-1).mean()) for kind, columns in self._columns.items()}
                kind = max(share, key=share.__getitem__)
                if kind != OTHER and sum(share.values()) >= LEAST:
                    yield start, end, kind

    def _probabilities(self, window: object) -> npt.NDArray[np.float64]:
        import numpy as np

        ids, mask = np.array([window.ids]), np.array([window.attention_mask])  # type: ignore[attr-defined]  # tokenizers has no types
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        logits = self._session.run(None, inputs)[0][0].astype(np.float64)
        exponentials = np.exp(logits - logits.max(-1, keepdims=True))
        probabilities: npt.NDArray[np.float64] = exponentials / exponentials.sum(-1, keepdims=True)
        return probabilities
