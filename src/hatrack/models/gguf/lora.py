"""LoRA in GGUF, as llama.cpp reads adapters: its names for the layers, its order of rows in queries and keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from hatrack.core.atomic import storage_errors
from hatrack.core.errors import AdapterBroken, AdapterMismatch
from hatrack.models.adapters.lora import LoraWeights, read_lora
from hatrack.models.gguf.shape import GgufBase

__all__ = ["read_gguf_lora", "write_gguf_lora"]

_HALVES = (".weight.lora_a", ".weight.lora_b")


def write_gguf_lora(folder: Path, base: GgufBase, target: Path) -> Path:
    """Convert the LoRA in ``folder`` into ``target`` unless it is there; scaling is folded into B, in float32.

    Raises:
        AdapterBroken: damaged files. AdapterMismatch: it adapts layers llama.cpp has no name for. StorageError: the disk refuses.
    """
    if target.is_file():
        return target
    import gguf

    weights = read_lora(folder)
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = target.with_name(f".staging-{target.name}")
        writer = gguf.GGUFWriter(staging, base.architecture)
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        rank = max(a.shape[0] for a, _ in weights.layers.values())
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(rank))
        for path, (a, b) in sorted(weights.layers.items()):
            name = base.name(path)
            if name is None:
                raise AdapterMismatch("llama.cpp has no such layer in this architecture", given=path, allowed=base.architecture)
            writer.add_tensor(f"{name}{_HALVES[0]}", np.ascontiguousarray(a.numpy()))
            writer.add_tensor(f"{name}{_HALVES[1]}", np.ascontiguousarray(base.reordered(b.numpy(), path)))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        staging.replace(target)
    return target


def read_gguf_lora(path: Path, base: GgufBase, modules: Mapping[str, tuple[int, int]]) -> LoraWeights:
    """A LoRA in GGUF, of any tool, by transformers' names; the scaling is folded into B.

    Args:
        modules: paths of the base's linear layers, of which the file may adapt some, with their sizes (d_out, d_in).

    Raises:
        AdapterBroken: truncated, no LoRA, halves without a partner. AdapterMismatch: of another architecture, or of layers
            that the base does not have.
    """
    from gguf import GGUFReader
    from gguf.quants import dequantize

    try:
        reader = GGUFReader(path)
        said = {key: reader.fields[key].contents() for key in reader.fields}
        tensors = {tensor.name: dequantize(tensor.data, tensor.tensor_type).astype(np.float32) for tensor in reader.tensors}
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise _no_lora(path, str(error) or type(error).__name__) from error
    if said.get("general.type") != "adapter" or said.get("adapter.type") != "lora":
        raise _no_lora(path, f"general.type {said.get('general.type')}, adapter.type {said.get('adapter.type')}")
    if said.get("general.architecture") != base.architecture:
        raise AdapterMismatch(
            "this adapter was made for a base of another architecture",
            given=str(said.get("general.architecture")),
            allowed=f"{base.architecture}, the project's base",
            fix="set `base` in hatrack.yaml to the base it was trained on",
        )
    alpha = float(said.get("adapter.lora.alpha") or 0.0)
    named = {base.name(module): module for module in modules}
    halves: dict[str, dict[str, np.ndarray]] = {}
    for name, tensor in tensors.items():
        end = next((end for end in _HALVES if name.endswith(end)), None)
        if end is None:
            raise _no_lora(path, f"tensor {name}")
        halves.setdefault(name.removesuffix(end), {})[end] = tensor
    layers = {}
    for name, pair in halves.items():
        module = named.get(name)
        if module is None:
            raise AdapterMismatch("the adapter names a layer the base does not have", given=name, fix="use the base it was trained on")
        a, b = (pair.get(end) for end in _HALVES)
        if a is None or b is None or a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
            raise _no_lora(path, f"{name}: { {end: half.shape for end, half in pair.items()} }")
        if (b.shape[0], a.shape[1]) != modules[module]:
            raise AdapterMismatch(
                "the adapter's matrices do not fit the base",
                given=f"{name}: {b.shape[0]}x{a.shape[1]}",
                allowed="{}x{}".format(*modules[module]),
                fix="set `base` in hatrack.yaml to the base it was trained on",
            )
        scale = alpha / a.shape[0] if alpha else 1.0  # llama.cpp takes an absent alpha for a scale of one
        restored = np.ascontiguousarray(base.restored(b, module))
        layers[module] = (torch.from_numpy(np.array(a)), torch.from_numpy(restored) * scale)
    if not layers:
        raise _no_lora(path, "no tensors at all")
    return LoraWeights(layers)


def _no_lora(path: Path, given: str) -> AdapterBroken:
    return AdapterBroken(
        f"{path.name} cannot be read as a LoRA in GGUF",
        given=given,
        allowed="a whole file that llama.cpp loads with --lora",
        fix="get it again",
    )
