"""The base as an embedder for onnxruntime: does the nearest training row still have the same label there?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

SEED = 13
TOKENS = 64  # of a text


def embedder(bench: Any, out: Path, rows: int) -> dict[str, float]:
    """Export ``base`` and look up at most ``rows`` test rows among the training rows, with vectors of here and of there.

    A row counts as right when the training row nearest to it, by cosine, has its label. ``likeness`` is the mean cosine of
    the two vectors of a test row.
    """
    from hatrack.core.exported import EXPORT, ExportRecord
    from hatrack.core.names import BASE
    from hatrack.evaluation.statistics import bca_interval
    from hatrack.models.exporters.base import Part
    from hatrack.models.exporters.onnx import Onnx
    from hatrack.models.host import ModelHost
    from hatrack.workflows.export.run import Wish, export, open_source

    wish = Wish("onnx", out, ("FP32", "INT8"), rows=rows)
    if not (out / EXPORT).is_file():
        export(bench, BASE, wish)
    record = ExportRecord.model_validate_json((out / EXPORT).read_text(encoding="utf-8"))
    splits = bench.prepare("first").splits
    train, test = splits.train, splits.test[:rows]
    host = bench.host = bench.host or ModelHost(bench.files)
    inputs, known = (host.tokenize([row.text for row in part], TOKENS) for part in (test, train))
    with host.using(BASE):
        here, here_known = host.embed_ids(inputs), host.embed_ids(known)

    def nearest(vectors: torch.Tensor, among: torch.Tensor) -> list[str]:
        return [train[i].label for i in (unit(vectors) @ unit(among).T).argmax(1).tolist()]

    found_here = nearest(here, here_known)
    claims: dict[str, float] = {}
    _, source = open_source(bench, BASE, wish)
    for part in record.parts:
        foreign = Onnx().open(source, out, Part(part.name, part.files, part.full))
        try:
            start = time.perf_counter()
            there = foreign.logits(inputs)
            seconds = time.perf_counter() - start
            there_known = foreign.logits(known)
        finally:
            foreign.close()
        found = nearest(there, there_known)
        right = np.array([[a == row.label, b == row.label] for a, b, row in zip(found_here, found, test, strict=True)], float)
        interval = bca_interval(lambda both: float((both[:, 1] - both[:, 0]).mean()), right, 0.95, SEED)
        figures = {
            "bytes": float(part.bytes),
            "here": float(right[:, 0].mean()),
            "there": float(right[:, 1].mean()),
            "low": interval.low,
            "high": interval.high,
            "same": sum(a == b for a, b in zip(found_here, found, strict=True)) / len(test),
            "likeness": float((unit(there) * unit(here)).sum(1).mean()),
            "rows_per_second": len(test) / seconds,
        }
        claims |= {f"embedder_onnx_{part.name}_{figure}": round(value, 6) for figure, value in figures.items()}
    return claims


def unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=1)
