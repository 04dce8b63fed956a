"""A tokenizer read the short way is the one that transformers would have chosen."""

from __future__ import annotations

import json
import shutil

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from hatrack.core.chat import Message
from hatrack.core.errors import ModelCorrupt
from hatrack.models.loading import open_base
from hatrack.models.render import ChatRenderer
from hatrack.models.tokenizer import read_tokenizer

TEXTS = ("the red apple", " two  spaces\n\tand a tab ", "naïve 漢字 \U0001f600", "<|im_start|>user\nis it?<|im_end|>", "", "<s></s><unk>")


def assert_same(short, long):
    assert type(short) is type(long)
    assert short.special_tokens_map == long.special_tokens_map
    assert short.chat_template == long.chat_template
    assert len(short) == len(long)
    for text in TEXTS:
        ids = short(text).input_ids
        assert ids == long(text).input_ids
        assert short.decode(ids) == long.decode(ids)
        assert short.decode(ids, skip_special_tokens=True) == long.decode(ids, skip_special_tokens=True)
    turns = [Message("user", "red or green?"), Message("assistant", "red"), Message("user", "why?")]
    a, b = ChatRenderer(short), ChatRenderer(long)
    assert a.template_hash == b.template_hash
    assert a.prompt(turns).ids == b.prompt(turns).ids


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


@pytest.mark.parametrize("declared", ["PreTrainedTokenizerFast", "TokenizersBackend"])
def test_the_short_way_and_the_long_way_read_the_same(tiny_causal, tmp_path, declared, monkeypatch):
    folder = shutil.copytree(tiny_causal, tmp_path / "base")
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "tokenizer_class": declared}))
    long = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: pytest.fail("the long way was gone"))
    assert_same(read_tokenizer(folder, config_of(folder)), long)


def test_the_bundled_model_is_read_the_short_way(real_cache, monkeypatch):
    files = open_base("bundled/smollm2-135m-instruct")
    long = AutoTokenizer.from_pretrained(str(files.folder), local_files_only=True)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: pytest.fail("the long way was gone"))
    assert_same(files.tokenizer, long)


@pytest.mark.parametrize(
    ("tokenizer", "config"),
    [
        ({"tokenizer_class": "Qwen2Tokenizer"}, {}),
        ({"tokenizer_class": None}, {}),
        ({"auto_map": {"AutoTokenizer": ["own.Tokenizer", None]}}, {}),
        ({}, {"model_type": "qwen2"}),
    ],
)
def test_what_transformers_may_know_better_is_left_to_it(tiny_causal, tmp_path, monkeypatch, tokenizer, config):
    folder = shutil.copytree(tiny_causal, tmp_path / "base")
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **tokenizer}))
    asked = []
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda folder, **options: asked.append((folder, options)))
    monkeypatch.setattr(PreTrainedTokenizerFast, "from_pretrained", lambda *_, **__: pytest.fail("the short way was gone"))
    read_tokenizer(folder, {**config_of(folder), **config})
    assert asked == [(str(folder), {"local_files_only": True, "trust_remote_code": False})]


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_broken_files_are_a_fault_of_the_model(tiny_causal, tmp_path, name):
    folder = shutil.copytree(tiny_causal, tmp_path / "base")
    (folder / name).write_text("{")
    with pytest.raises(ModelCorrupt, match="tokenizer"):
        read_tokenizer(folder, config_of(folder))
