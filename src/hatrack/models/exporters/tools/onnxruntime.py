"""onnxruntime: a session over one file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hatrack.core.errors import AdapterBroken
from hatrack.core.extras import require

__all__ = ["OnnxSession"]


class OnnxSession:
    """Answers with the output called ``output``.

    Raises:
        MissingExtra: onnxruntime is not installed. AdapterBroken: it does not load the file.
    """

    def __init__(self, path: Path, output: str) -> None:
        runtime: Any = require("onnxruntime", extra="onnx", reason="trying out what was written in onnxruntime")
        self.tool, self._output = f"onnxruntime {runtime.__version__}", output
        options = runtime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
        options.log_severity_level = 3
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            if not type(error).__module__.startswith("onnxruntime"):  # its errors have no base of their own
                raise
            raise AdapterBroken(
                "onnxruntime cannot load what was written", given=str(error).splitlines()[0], fix="report this with the base's name"
            ) from error

    def logits(self, inputs: Sequence[Sequence[int]]) -> torch.Tensor:
        rows = []
        for ids in inputs:
            row = np.array([list(ids)], dtype=np.int64)
            [out] = self._session.run([self._output], {"input_ids": row, "attention_mask": np.ones_like(row)})
            rows.append(torch.from_numpy(out[0]))
        return torch.stack(rows).float()

    def close(self) -> None:
        del self._session
