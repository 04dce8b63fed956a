"""Opening a base: what is damaged is refused before it is used, and its fingerprint is its identity."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hatrack.core.errors import ModelCorrupt
from hatrack.models.loading import BaseModelFiles, load_module, open_base


@pytest.fixture
def base(tmp_path, tiny_causal) -> BaseModelFiles:
    """A copy of the tiny causal base that may be damaged."""
    return BaseModelFiles("copy", Path(shutil.copytree(tiny_causal, tmp_path / "base")), tmp_path / "cache")


def fingerprint(base: BaseModelFiles) -> str:
    return BaseModelFiles(base.spec, base.folder, base.cache).fingerprint


def change_weights(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_module_is_loaded_in_float32_frozen_and_in_evaluation_mode(base):
    module = load_module(base)
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in module.parameters())
    assert not module.training


def test_the_kind_is_read_from_the_architecture(tiny_causal, tiny_encoder):
    assert open_base(str(tiny_causal)).kind == "causal"
    assert open_base(str(tiny_encoder)).kind == "encoder"


@pytest.mark.parametrize("content", ["[]", '"x"', "{", "\xff"])
def test_a_config_that_cannot_be_read_is_corrupt(base, content):
    (base.folder / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ModelCorrupt, match="config cannot be read"):
        _ = base.kind
    with pytest.raises(ModelCorrupt, match="config cannot be read"):
        _ = base.fingerprint


@pytest.mark.parametrize("kept", [0, 100, 20_000])
def test_truncated_weights_are_corrupt(base, kept):
    path = base.folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelCorrupt, match="weights cannot be read"):
        load_module(base)


def test_missing_weights_are_refused_and_not_drawn_at_random(base):
    change_weights(base.folder, lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"))
    with pytest.raises(ModelCorrupt, match=r"lacks 1 of its weights") as refused:
        load_module(base)
    assert "model.layers.1.mlp.up_proj.weight" in str(refused.value)


def test_weights_of_another_shape_are_refused(base):
    change_weights(base.folder, lambda tensors: tensors.update({"model.norm.weight": torch.ones(7)}))
    with pytest.raises(ModelCorrupt, match="weights cannot be read"):
        load_module(base)


@pytest.mark.parametrize("content", ['{"ver', '{"version": "1.0"}', ""])
def test_a_broken_tokenizer_is_corrupt(base, content):
    (base.folder / "tokenizer.json").write_text(content)
    with pytest.raises(ModelCorrupt, match="tokenizer cannot be read"):
        _ = base.tokenizer


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_F22_pickled_weights_beside_safetensors_are_never_opened(base, tmp_path):
    (base.folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    load_module(base)
    (base.folder / "model.safetensors").unlink()
    with pytest.raises(ModelCorrupt):
        load_module(base)
    assert not (tmp_path / "exploded").exists()


def test_F22_code_that_comes_with_a_base_is_never_run(base, tmp_path, edit_json):
    (base.folder / "evil.py").write_text(f"import os; os.mkdir({str(tmp_path / 'exploded')!r})\nclass C: pass\nclass M: pass\n")
    edit_json(base.folder / "config.json", model_type="evil", auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"})
    with pytest.raises(ModelCorrupt):
        load_module(base)
    assert not (tmp_path / "exploded").exists()


def test_every_stop_token_of_the_generation_config_is_known(base, edit_json):
    for declared, expected in ((3, (3,)), ([3, 1], (3, 1)), (None, ())):
        edit_json(base.folder / "generation_config.json", eos_token_id=declared)
        assert BaseModelFiles("copy", base.folder, base.cache).stop_ids == expected
    (base.folder / "generation_config.json").unlink()
    assert BaseModelFiles("copy", base.folder, base.cache).stop_ids == ()


def test_the_fingerprint_changes_with_one_weight(base):
    before = fingerprint(base)
    change_weights(base.folder, lambda tensors: tensors["model.norm.weight"][0].add_(1e-6))
    assert fingerprint(base) != before


def test_the_fingerprint_changes_with_the_tokenizer(base):
    before = fingerprint(base)
    path = base.folder / "tokenizer.json"
    path.write_text(path.read_text().replace('"apple"', '"appel"') + " ")
    assert fingerprint(base) != before


def test_the_fingerprint_changes_with_the_config_and_not_with_who_wrote_it(base, edit_json):
    before = fingerprint(base)
    edit_json(base.folder / "config.json", transformers_version="9.9", _name_or_path="/elsewhere", dtype="bfloat16")
    assert fingerprint(base) == before
    edit_json(base.folder / "config.json", rms_norm_eps=1e-5)
    assert fingerprint(base) != before


def test_the_fingerprint_does_not_depend_on_where_the_folder_lies(base, tmp_path):
    moved = Path(shutil.copytree(base.folder, tmp_path / "elsewhere"))
    assert BaseModelFiles("x", moved, tmp_path / "other").fingerprint == fingerprint(base)


def test_the_hash_of_the_weights_is_remembered_until_the_file_changes(base, monkeypatch):
    hashed: list[str] = []
    from hatrack.models import fingerprint as module

    real = module.sha256_file
    monkeypatch.setattr(module, "sha256_file", lambda path: hashed.append(path.name) or real(path))
    fingerprint(base)
    fingerprint(base)
    assert hashed.count("model.safetensors") == 1
    change_weights(base.folder, lambda tensors: None)
    fingerprint(base)
    assert hashed.count("model.safetensors") == 2
