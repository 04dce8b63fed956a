"""A base that was rounded in a precision, rounded in it again, takes a small adapter back: such a part is not written."""

from __future__ import annotations

import pytest
import torch

from conftest import label_rows, make_causal, write_jsonl
from exported_projects import LEARN, open_bench
from hatrack.core.errors import AdapterBroken
from hatrack.workflows.export.run import Wish, export
from projects import write_project


def round_weights(folder, precision):
    """The weights of the blocks become what that precision makes of them."""
    import gguf
    from gguf.quants import dequantize, quantize
    from safetensors.torch import load_file, save_file

    kind = gguf.GGMLQuantizationType[precision]
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        if "layers" in name and tensor.ndim == 2:
            tensors[name] = torch.from_numpy(dequantize(quantize(tensor.numpy(), kind), kind).reshape(tensor.shape).copy())
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    pytest.importorskip("xllamacpp")
    root = tmp_path_factory.mktemp("rounded") / "project"
    base = make_causal(root.parent / "tiny-llama-64", width=64)
    round_weights(base, "Q4_1")
    write_jsonl(root / "colours.jsonl", label_rows(60))
    adapter = {"data": "colours.jsonl", "task": "classify-by-text", "r": 4, "train": {**LEARN, "epochs": 1, "learning_rate": 0.0005}}
    write_project(root, base, {"faint": adapter})
    bench = open_bench(root)
    bench.train("faint", bench.prepare("faint"))
    return bench


def test_a_precision_that_takes_the_adapter_back_is_refused(bench, tmp_path):
    with pytest.raises(AdapterBroken, match="rounded as Q4_1, little is left") as refused:
        export(bench, "faint", Wish("gguf", tmp_path / "out", ("F16", "Q4_1"), rows=0))
    assert "--precision" in refused.value.fix
    assert not (tmp_path / "out").exists()


def test_a_finer_one_is_written_and_so_is_that_one_for_whoever_says_so(bench, tmp_path):
    [fine] = export(bench, "faint", Wish("gguf", tmp_path / "fine", ("Q8_0",), rows=0)).parts
    [coarse] = export(bench, "faint", Wish("gguf", tmp_path / "coarse", ("Q4_1",), rows=0, max_drop=1.0)).parts
    assert coarse.likeness < 0.7 < fine.likeness
