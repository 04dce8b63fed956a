"""Rotary tables are those of transformers, whichever way they are come by."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from hatrack.models.loading import BaseModelFiles
from hatrack.serving.decoder.rotary import rotary_table

POSITIONS = 64
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}


@pytest.fixture
def files(tiny_causal, tmp_path):
    folder = shutil.copytree(tiny_causal, tmp_path / "base")

    def written(**changes):
        path = folder / "config.json"
        config = {key: value for key, value in json.loads(path.read_text()).items() if not key.startswith("rope")}
        path.write_text(json.dumps({**config, **changes}))
        return BaseModelFiles("base", folder, tmp_path)

    return written


def expected(files):
    config = AutoConfig.from_pretrained(str(files.folder))
    module = LlamaRotaryEmbedding(config)
    cos, sin = module(torch.zeros(1), torch.arange(POSITIONS)[None])
    half = cos.shape[-1] // 2
    return cos[0, :, :half].numpy(), sin[0, :, :half].numpy()


@pytest.mark.parametrize(
    "changes",
    [
        {"rope_parameters": {"rope_type": "default", "rope_theta": 5000.0}},
        {"rope_theta": 100000.0, "rope_scaling": None},
        {},  # the class's own default
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}},
        {"rope_theta": 500000.0, "rope_scaling": LLAMA3},
    ],
)
def test_the_table_is_what_transformers_turns_by(files, changes):
    base = files(**changes)
    for ours, theirs in zip(rotary_table(base, 12, POSITIONS), expected(base), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_plain_frequencies_need_no_config_class(files, monkeypatch):
    base = files(rope_theta=20000.0)
    monkeypatch.setattr(AutoConfig, "from_pretrained", lambda *_, **__: pytest.fail("a config class was loaded"))
    assert rotary_table(base, 12, POSITIONS)[0].shape == (POSITIONS, 6)
