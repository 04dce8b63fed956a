"""LoRA to GGUF, as llama.cpp reads adapters: its names for the layers, its order of rows in queries and keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.core.atomic import storage_errors
from hatrack.core.errors import AdapterError, AdapterMismatch, ModelCorrupt
from hatrack.models.adapters.lora import read_lora

__all__ = ["GgufBase", "read_gguf_base", "write_gguf_lora"]

# Architecture to whether llama.cpp keeps the two halves of each rotary head interleaved, which reorders rows.
_INTERLEAVED = {"llama": True, "qwen2": False, "qwen3": False, "gemma": False, "gemma2": False, "gemma3": False}


@dataclass(frozen=True)
class GgufBase:
    """What an adapter must know of a base in GGUF.

    Attributes:
        architecture: llama.cpp's name for it.
        heads, kv_heads: of its attention.
    """

    path: Path
    architecture: str
    layers: int
    width: int
    vocabulary: int
    heads: int
    kv_heads: int


def read_gguf_base(path: Path) -> GgufBase:
    """The head of a GGUF file; no weights are read.

    Raises:
        ModelCorrupt: it is no GGUF. AdapterError: adapters of this architecture cannot be converted.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        architecture = str(_field(reader, "general.architecture"))
        number = {key: _field(reader, f"{architecture}.{key}") for key in ("block_count", "embedding_length", "attention.head_count")}
        kv_heads = _field(reader, f"{architecture}.attention.head_count_kv", number["attention.head_count"])
        tokens = len(reader.fields["tokenizer.ggml.tokens"].data)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ModelCorrupt("the GGUF file cannot be read", given=f"{path}: {error}", fix="correct serve.llamacpp.gguf") from error
    if architecture not in _INTERLEAVED:
        raise AdapterError(
            "adapters for this architecture cannot be converted to GGUF",
            given=architecture,
            allowed=", ".join(sorted(_INTERLEAVED)),
            fix="serve it with serve.engine: torch or vllm",
        )
    return GgufBase(path, architecture, number["block_count"], number["embedding_length"], tokens, number["attention.head_count"], kv_heads)


def write_gguf_lora(folder: Path, base: GgufBase, target: Path) -> Path:
    """Convert the LoRA in ``folder`` into ``target`` unless it is there; scaling is folded into B, in float32.

    Raises:
        AdapterBroken: damaged files. AdapterMismatch: it adapts layers llama.cpp has no name for. StorageError: the disk refuses.
    """
    if target.is_file():
        return target
    import gguf

    weights = read_lora(folder)
    architecture = next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == base.architecture)
    names = gguf.get_tensor_name_map(architecture, base.layers)
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = target.with_name(f".staging-{target.name}")
        writer = gguf.GGUFWriter(staging, base.architecture)
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        rank = max(a.shape[0] for a, _ in weights.layers.values())
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(rank))
        for path, (a, b) in sorted(weights.layers.items()):
            name = names.get_name(path)
            if name is None:
                raise AdapterMismatch("llama.cpp has no such layer in this architecture", given=path, allowed=base.architecture)
            writer.add_tensor(f"{name}.weight.lora_a", np.ascontiguousarray(a.numpy()))
            writer.add_tensor(f"{name}.weight.lora_b", np.ascontiguousarray(_reordered(b.numpy(), path, base)))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        staging.replace(target)
    return target


def _reordered(rows: np.ndarray, path: str, base: GgufBase) -> np.ndarray:
    """Rows of a query or key projection: of each head the first and the second half taken in turns."""
    part = path.rpartition(".")[2]
    heads = {"q_proj": base.heads, "k_proj": base.kv_heads}.get(part)
    if heads is None or not _INTERLEAVED[base.architecture]:
        return rows
    split = rows.reshape(heads, 2, rows.shape[0] // heads // 2, rows.shape[1])
    return split.swapaxes(1, 2).reshape(rows.shape)


def _field(reader: Any, key: str, default: Any = None) -> Any:
    field = reader.fields.get(key)
    if field is None:
        if default is None:
            raise KeyError(key)
        return default
    return field.contents()
