"""A GGUF file to a safetensors folder, once: dequantising takes half a minute, opening the result a few seconds."""

from __future__ import annotations

import contextlib
import io
import struct
from pathlib import Path
from typing import Any

from hatrack.core.atomic import staged_folder
from hatrack.core.errors import ModelCorrupt
from hatrack.models.sources.base import Report

__all__ = ["convert_gguf"]


def convert_gguf(gguf: Path, target: Path, report: Report) -> Path:
    """Convert ``gguf`` into ``target`` unless it is there already. Weights become float32.

    Raises:
        ModelCorrupt: the file is no GGUF that transformers can read.
        StorageError: the cache cannot be written.
    """
    if target.is_dir():  # staged_folder renames only a whole folder into place
        return target
    report(f"converting {gguf.name} to safetensors, once (about half a minute)")
    # Imported here: listing or checking data with a bundled model must not load torch.
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"gguf_file": gguf.name, "local_files_only": True}
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars of two libraries
            tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **where)
            model: Any = AutoModelForCausalLM.from_pretrained(str(gguf.parent), dtype=torch.float32, **where)
    except (OSError, ValueError, RuntimeError, KeyError, IndexError, struct.error) as error:
        raise ModelCorrupt("the GGUF file cannot be read", given=f"{gguf}: {error}", fix="reinstall or download the model again") from error
    # The weights are dequantised now; a quantisation entry would make the next load treat them as packed.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    if getattr(model, "hf_quantizer", None) is not None:
        model.hf_quantizer = None
    model.config._name_or_path = target.name  # else the path of this machine would be part of the fingerprint
    with staged_folder(target) as staging, contextlib.redirect_stderr(io.StringIO()):
        model.save_pretrained(staging)
        tokenizer.save_pretrained(staging)
    return target
