"""Models and adapters in GGUF: what llama.cpp reads is what transformers computes; what it would read otherwise is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil

import gguf
import numpy as np
import pytest
import torch
import transformers

from conftest import make_tokenizer
from hatrack.core.errors import AdapterBroken, AdapterError, AdapterMismatch, ConfigError
from hatrack.models.causal import last_logits
from hatrack.models.exporters.base import Source
from hatrack.models.exporters.gguf import open_gguf
from hatrack.models.gguf.model import check_writable, write_gguf_model
from hatrack.models.gguf.precision import PRECISIONS, check_precision, rounded
from hatrack.models.gguf.shape import base_of_config
from hatrack.models.gguf.vocabulary import read_vocabulary
from hatrack.models.loading import load_module, open_base

PROMPTS = [[2, 60, 70, 80, 90], [2, 61, 71]]
SIZES = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
KINDS = {
    "Llama": {},
    "Llama-biased": {"attention_bias": True, "tie_word_embeddings": False},
    "Mistral": {"sliding_window": 128},
    "Qwen2": {"tie_word_embeddings": True},
    "Qwen3": {"head_dim": 32},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    def make(name):
        folder = tmp_path_factory.getbasetemp() / f"gguf-{name}"
        if not folder.is_dir():
            tokenizer = make_tokenizer()
            ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
            kind = name.partition("-")[0]
            settings = {**SIZES, **KINDS[name], "initializer_range": 0.2, "max_position_embeddings": 256}
            config = getattr(transformers, f"{kind}Config")(vocab_size=len(tokenizer) + 5, **ids, **settings)
            torch.manual_seed(0)
            model = getattr(transformers, f"{kind}ForCausalLM")(config)
            for parameter in model.parameters():  # biases and norms begin at values that hide mistakes
                if parameter.dim() == 1:
                    torch.nn.init.normal_(parameter.data, 1.0 if parameter.mean() > 0.5 else 0.0, 0.2)
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        return open_base(str(folder))

    return make


@pytest.mark.parametrize("name", KINDS)
def test_llama_cpp_computes_what_transformers_computes(made, tmp_path, name):
    pytest.importorskip("xllamacpp", reason='pip install "hatrack[llamacpp]"')
    files = made(name)
    module = load_module(files)
    write_gguf_model(files, module, tmp_path / "m.gguf", "F32", "m")
    model = open_gguf(Source("m", files, None, "m"), tmp_path / "m.gguf")
    told = model.logits(PROMPTS)
    ours = torch.log_softmax(last_logits(module, PROMPTS), dim=-1)
    known = ~torch.isnan(told)
    assert int(known.sum()) > 100
    difference = (told - ours)[known]
    assert float(difference.abs().max()) < 0.05
    greedy = module.generate(torch.tensor([PROMPTS[0]]), max_new_tokens=8, do_sample=False, eos_token_id=None, pad_token_id=3)[
        0, 5:
    ].tolist()
    said = model.generate([PROMPTS[0]], frozenset(), 8)[0]
    model.close()
    assert list(said)[: len(said)] == greedy[: len(said)]


def test_a_vocabulary_that_would_be_cut_otherwise_is_found_out(made, tmp_path, monkeypatch):
    pytest.importorskip("xllamacpp", reason='pip install "hatrack[llamacpp]"')
    files = made("Llama")
    whole = read_vocabulary(files.folder, files.tokenizer, int(files.config["vocab_size"]))
    fewer = dataclasses.replace(whole, merges=whole.merges[:3])  # words are put together otherwise
    monkeypatch.setattr("hatrack.models.gguf.model.read_vocabulary", lambda *arguments: fewer)
    write_gguf_model(files, load_module(files), tmp_path / "m.gguf", "F16", "m")
    with pytest.raises(AdapterBroken, match="other tokens"):
        open_gguf(Source("m", files, None, "m"), tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"model.type": "Unigram"}, "Unigram"),
        ({"model.byte_fallback": True}, "byte fallback"),
        ({"pre_tokenizer": {"type": "Metaspace"}}, "Metaspace"),
        ({"pre_tokenizer": None}, "none"),
    ],
)
def test_a_tokenizer_without_a_name_in_llama_cpp_is_refused(made, tmp_path, edit, said):
    files = made("Llama")
    raw = json.loads((files.folder / "tokenizer.json").read_text())
    for key, value in edit.items():
        place = raw["model"] if key.startswith("model.") else raw
        place[key.removeprefix("model.")] = value
    (tmp_path / "tokenizer.json").write_text(json.dumps(raw))
    with pytest.raises(AdapterMismatch) as refused:
        read_vocabulary(tmp_path, files.tokenizer, 430)
    assert said in refused.value.given


def test_scaled_positions_are_refused(made, tmp_path):
    folder = shutil.copytree(made("Llama").folder, tmp_path / "scaled")
    config = json.loads((folder / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(AdapterMismatch, match="cannot be written as GGUF"):
        check_writable(open_base(str(folder)))


def test_an_architecture_that_llama_cpp_names_otherwise_is_refused(tmp_path):
    with pytest.raises(AdapterError, match="architecture"):
        base_of_config(tmp_path, {"model_type": "gpt_neox"})


def test_rows_are_restored_as_they_were(made):
    base = base_of_config(made("Llama").folder, made("Llama").config)
    rows = np.arange(64 * 3, dtype=np.float32).reshape(64, 3)
    turned = base.reordered(rows, "model.layers.0.self_attn.q_proj")
    assert not np.array_equal(turned, rows)
    assert np.array_equal(base.restored(turned, "model.layers.0.self_attn.q_proj"), rows)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_rounding_is_as_coarse_as_its_bits_say(precision):
    rows = np.random.default_rng(0).normal(size=(8, 64)).astype(np.float32)
    stored, kind = rounded("blk.0.ffn_up.weight", rows, precision)
    back = gguf.quants.dequantize(stored, kind).reshape(rows.shape)
    bits = {"F32": 32, "F16": 11, "BF16": 8}.get(precision) or int(precision[1])
    assert float(np.abs(back - rows).max()) <= float(np.abs(rows).max()) * 2.0 ** (1.1 - bits) + 1e-7
    assert rounded("blk.0.attn_norm.weight", rows[0], precision)[1] == gguf.GGMLQuantizationType.F32
    odd = rounded("blk.0.ffn_up.weight", rows[:, :48], precision)[1]
    assert odd.name == (precision if "F" in precision else "F16")
    if precision.startswith(("Q4", "Q5")):
        assert rounded("token_embd.weight", rows, precision)[1].name == "Q8_0"


@pytest.mark.parametrize("name", ["Q4_K", "iq2_xs", "Q6_K"])
def test_formats_that_the_package_cannot_write_are_refused_with_what_can(name):
    with pytest.raises(ConfigError) as refused:
        check_precision(name)
    assert "llama-quantize" in refused.value.fix
    assert check_precision("q8_0") == "Q8_0"
