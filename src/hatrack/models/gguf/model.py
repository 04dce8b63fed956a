"""A whole causal model as one GGUF file: config, tokenizer, chat template and weights, rounded as asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hatrack.core.atomic import storage_errors
from hatrack.core.errors import AdapterMismatch
from hatrack.models.gguf.precision import rounded
from hatrack.models.gguf.shape import GgufBase, base_of_config
from hatrack.models.gguf.vocabulary import Vocabulary, read_vocabulary
from hatrack.models.loading import BaseModelFiles
from hatrack.models.render import PLAIN_TEMPLATE

__all__ = ["WRITTEN", "check_writable", "write_gguf_model"]

WRITTEN = ("llama", "qwen2", "qwen3")  # architectures whose every tensor has its counterpart
_EPSILON = 1e-5


def check_writable(files: BaseModelFiles) -> tuple[GgufBase, Vocabulary]:
    """What a GGUF file of this base would say of it; no weights are read.

    Raises:
        AdapterMismatch: an architecture, a way of counting positions, or a tokenizer that is not known here.
        AdapterError: an architecture that is known nowhere.
    """
    base = base_of_config(files.folder, files.config)
    rope = files.config.get("rope_parameters") or files.config.get("rope_scaling") or {}
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if base.architecture not in WRITTEN or kind != "default":
        raise AdapterMismatch(
            "a model of this kind cannot be written as GGUF by Hatrack",
            given=f"{files.config.get('model_type')}, rotary positions: {kind}",
            allowed="llama, mistral, qwen2 and qwen3 with plain rotary positions",
            fix="export `merged`, and convert that folder with llama.cpp's own convert_hf_to_gguf.py",
        )
    return base, read_vocabulary(files.folder, files.tokenizer, base.vocabulary)


def write_gguf_model(files: BaseModelFiles, module: nn.Module, target: Path, precision: str, name: str) -> None:
    """Write ``module``, a model of the architecture that ``files`` describe, into the file ``target``.

    Args:
        precision: one of ``hatrack.models.gguf.precision.PRECISIONS``.

    Raises:
        AdapterMismatch: a kind of model that cannot be written, or a tensor that llama.cpp has no name for.
        StorageError: the disk refuses.
    """
    import gguf

    base, vocabulary = check_writable(files)
    with storage_errors(target):
        writer = gguf.GGUFWriter(target, base.architecture)
        writer.add_type(gguf.GGUFType.MODEL)
        writer.add_name(name)
        _describe(writer, files.config, base)
        writer.add_file_type(_file_type(precision))
        _add_vocabulary(writer, vocabulary, files)
        for key, tensor in _tensors(module):
            path, _, own = key.rpartition(".")
            known = base.name(path)
            if known is None:
                raise AdapterMismatch("llama.cpp has no such layer in this architecture", given=key, allowed=base.architecture)
            stored, kind = rounded(f"{known}.{own}", base.reordered(tensor, path), precision)
            writer.add_tensor(f"{known}.{own}", stored, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def _describe(writer: Any, config: dict[str, Any], base: GgufBase) -> None:
    positions = int(config.get("max_position_embeddings") or 2048)
    window = config.get("sliding_window") if config.get("use_sliding_window", True) else None
    writer.add_context_length(min(positions, int(window)) if window else positions)  # llama.cpp's form has no window
    head = int(config.get("head_dim") or base.width // base.heads)
    rope = config.get("rope_parameters") or {}
    writer.add_embedding_length(base.width)
    writer.add_block_count(base.layers)
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(base.heads)
    writer.add_head_count_kv(base.kv_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(float(config.get("rms_norm_eps") or _EPSILON))
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0))
    writer.add_vocab_size(base.vocabulary)


def _add_vocabulary(writer: Any, vocabulary: Vocabulary, files: BaseModelFiles) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.cut)
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(list(vocabulary.kinds))
    writer.add_token_merges(list(vocabulary.merges))
    for role, index in vocabulary.ends.items():
        getattr(writer, f"add_{role}_token_id")(index)
    others = [index for index in files.stop_ids if index != vocabulary.ends.get("eos")]
    if others:
        writer.add_eot_token_id(others[0])
    writer.add_add_bos_token(vocabulary.begins)
    writer.add_add_eos_token(vocabulary.closes)
    template: Any = files.tokenizer.chat_template
    writer.add_chat_template(str(template or PLAIN_TEMPLATE))


def _tensors(module: nn.Module) -> list[tuple[str, np.ndarray]]:
    """Every parameter once; a head that is tied to the embeddings is not written, llama.cpp takes the embeddings then."""
    written: dict[int, str] = {}
    found = []
    for key, parameter in module.named_parameters(remove_duplicate=False):
        if parameter.data_ptr() not in written:
            written[parameter.data_ptr()] = key
            found.append((key, parameter.detach().to(torch.float32).numpy()))
    return found


def _file_type(precision: str) -> int:
    import gguf

    kinds: Any = gguf.LlamaFileType
    return int(kinds.ALL_F32 if precision == "F32" else kinds[f"MOSTLY_{precision}"])
