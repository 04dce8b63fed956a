"""What llama.cpp must know of a base before anything of it is written: its architecture, its heads, its names of layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.core.errors import AdapterError, ModelCorrupt

__all__ = ["ARCHITECTURES", "GgufBase", "base_of_config", "read_gguf_base"]

# Architecture to whether llama.cpp keeps the two halves of each rotary head interleaved, which reorders rows.
_INTERLEAVED = {"llama": True, "qwen2": False, "qwen3": False, "gemma": False, "gemma2": False, "gemma3": False}
# transformers' model_type to llama.cpp's architecture, where the one's weights are the other's.
ARCHITECTURES: Mapping[str, str] = {
    "llama": "llama",
    "mistral": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma": "gemma",
    "gemma2": "gemma2",
    "gemma3_text": "gemma3",
}


@dataclass(frozen=True)
class GgufBase:
    """What an adapter must know of a base in GGUF.

    Attributes:
        path: the GGUF file, or the folder that one could be made from.
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

    def name(self, module: str) -> str | None:
        """llama.cpp's name for a module of transformers, without ``.weight``; None where it has no such thing."""
        import gguf

        architecture = next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == self.architecture)
        found: str | None = gguf.get_tensor_name_map(architecture, self.layers).get_name(module)
        return found

    def reordered(self, rows: np.ndarray, module: str) -> np.ndarray:
        """Rows of a query or key projection as llama.cpp has them: of each head the first and the second half in turns."""
        heads = self._turned(module)
        if heads is None:
            return rows
        split = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
        return split.swapaxes(1, 2).reshape(rows.shape)

    def restored(self, rows: np.ndarray, module: str) -> np.ndarray:
        """``reordered`` backwards."""
        heads = self._turned(module)
        if heads is None:
            return rows
        split = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
        return split.swapaxes(1, 2).reshape(rows.shape)

    def _turned(self, module: str) -> int | None:
        heads = {"q_proj": self.heads, "k_proj": self.kv_heads}.get(module.rpartition(".")[2])
        return heads if _INTERLEAVED[self.architecture] else None


def base_of_config(folder: Path, config: Mapping[str, Any]) -> GgufBase:
    """The same of a base in transformers' layout, from its ``config.json``.

    Raises:
        AdapterError: llama.cpp's form of this architecture is not known here.
    """
    kind = str(config.get("model_type"))
    if kind not in ARCHITECTURES:
        raise _unknown(kind, sorted(ARCHITECTURES))
    heads = int(config["num_attention_heads"])
    return GgufBase(
        folder,
        ARCHITECTURES[kind],
        int(config["num_hidden_layers"]),
        int(config["hidden_size"]),
        int(config["vocab_size"]),
        heads,
        int(config.get("num_key_value_heads") or heads),
    )


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
        raise _unknown(architecture, sorted(_INTERLEAVED))
    return GgufBase(path, architecture, number["block_count"], number["embedding_length"], tokens, number["attention.head_count"], kv_heads)


def _unknown(architecture: str, known: list[str]) -> AdapterError:
    return AdapterError(
        "adapters for this architecture cannot be converted to GGUF",
        given=architecture,
        allowed=", ".join(known),
        fix="serve it with serve.engine: torch or vllm",
    )


def _field(reader: Any, key: str, default: Any = None) -> Any:
    field = reader.fields.get(key)
    if field is None:
        if default is None:
            raise KeyError(key)
        return default
    return field.contents()
