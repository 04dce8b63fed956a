"""A tuned model as a delta: bit for bit back, refused on another base, and nothing half-written."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from conftest import make_causal
from hatrack.core.digest import sha256_file
from hatrack.core.errors import AdapterBroken, AdapterMismatch, ConfigError, ModelCorrupt, ModelNotFound
from hatrack.models.loading import load_module, open_base
from hatrack.registry.delta import apply_delta, make_delta, read_delta, verify_delta


@pytest.fixture
def base(tiny_causal):
    return open_base(str(tiny_causal))


@pytest.fixture
def tuned(tiny_causal, tmp_path):
    """The tiny model after full fine-tuning: one tensor untouched, one grown, another config, files that are no model."""
    folder = tmp_path / "tuned"
    shutil.copytree(tiny_causal, folder)
    tensors = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(0)
    for name, tensor in tensors.items():
        if not name.endswith("norm.weight"):
            tensor += 1e-3 * torch.randn(tensor.shape, generator=generator)
    tensors["model.extra"] = torch.arange(6).reshape(2, 3)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt", "note": "tuned"})
    (folder / "generation_config.json").write_text('{"temperature": 0.7}')
    (folder / "training_args.bin").write_bytes(b"\x80pickle")
    return folder


def test_what_is_restored_is_the_tuned_model_file_by_file(base, tuned, tmp_path):
    made = make_delta(base, tuned, tmp_path / "d.safetensors")
    applied = apply_delta(base, tmp_path / "d.safetensors", tmp_path / "again")
    assert made == applied
    assert made.exact
    assert made.relative_error == 0
    assert made.left_out == ("training_args.bin",)
    kept = sorted(path.name for path in tuned.iterdir() if path.name != "training_args.bin")
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == kept
    for name in kept:
        assert (tmp_path / "again" / name).read_bytes() == (tuned / name).read_bytes(), name
    assert open_base(str(tmp_path / "again")).fingerprint == open_base(str(tuned)).fingerprint == made.fingerprint


def test_only_what_differs_is_stored(base, tuned, tmp_path):
    delta = make_delta(base, tuned, tmp_path / "d.safetensors")
    codings = delta.tensors["model.safetensors"]
    assert {codings[name] for name in codings if name.endswith("norm.weight")} == {"same"}
    assert codings["model.extra"] == "whole"
    assert codings["model.embed_tokens.weight"] == "difference"
    assert delta.plain == ("generation_config.json",)
    with safe_open(tmp_path / "d.safetensors", framework="numpy") as stream:
        assert not [key for key in stream.keys() if "norm" in key]  # noqa: SIM118  # not a dict
    assert (tmp_path / "d.safetensors").stat().st_size < 0.8 * (tuned / "model.safetensors").stat().st_size


def test_a_model_in_several_files_of_half_precision(base, tuned, tmp_path):
    tensors = {name: tensor.bfloat16() for name, tensor in load_file(tuned / "model.safetensors").items() if tensor.is_floating_point()}
    (tuned / "model.safetensors").unlink()
    half = make_half(base, tmp_path / "half")
    names = sorted(tensors)
    for i, part in enumerate((names[:5], names[5:])):
        save_file({name: tensors[name] for name in part}, tuned / f"model-{i}.safetensors")
    delta = make_delta(half, tuned, tmp_path / "d.safetensors")
    assert sorted(delta.tensors) == ["model-0.safetensors", "model-1.safetensors"]
    assert "whole" not in {coding for codings in delta.tensors.values() for coding in codings.values()}
    apply_delta(half, tmp_path / "d.safetensors", tmp_path / "again")
    for name in delta.files:
        assert sha256_file(tmp_path / "again" / name) == sha256_file(tuned / name)


def make_half(base, folder):
    shutil.copytree(base.folder, folder)
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, folder / "model.safetensors")
    return open_base(str(folder))


def test_a_low_rank_is_smaller_says_its_error_and_restores_the_same_bytes_every_time(base, tiny_causal, tmp_path):
    folder = tmp_path / "tuned"
    shutil.copytree(tiny_causal, folder)
    tensors = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(0)
    for tensor in tensors.values():
        if tensor.dim() == 2:
            step = torch.randn(tensor.shape[0], 3, generator=generator) @ torch.randn(3, tensor.shape[1], generator=generator)
            tensor += 1e-3 * step + 1e-5 * torch.randn(tensor.shape, generator=generator)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    exact = make_delta(base, folder, tmp_path / "exact.safetensors")
    approximate = make_delta(base, folder, tmp_path / "low.safetensors", rank_energy=0.99)
    assert not approximate.exact
    assert 0 < approximate.relative_error < 0.11  # the square root of what 0.99 leaves out
    assert approximate.bytes_coded < exact.bytes_coded / 2
    assert approximate.fingerprint != exact.fingerprint
    apply_delta(base, tmp_path / "low.safetensors", tmp_path / "again")
    restored = load_file(tmp_path / "again" / "model.safetensors")
    before = load_file(tiny_causal / "model.safetensors")
    missed = sum(float((restored[n].double() - tensors[n].double()).square().sum()) for n in tensors)
    moved = sum(float((tensors[n].double() - before[n].double()).square().sum()) for n in tensors if tensors[n].dim() == 2)
    assert approximate.relative_error == pytest.approx((missed / moved) ** 0.5, rel=1e-6)


def test_the_restored_model_is_loaded_and_speaks_as_the_tuned_one(base, tuned, tmp_path):
    tensors = load_file(tuned / "model.safetensors")
    del tensors["model.extra"]
    save_file(tensors, tuned / "model.safetensors", metadata={"format": "pt"})
    make_delta(base, tuned, tmp_path / "d.safetensors")
    apply_delta(base, tmp_path / "d.safetensors", tmp_path / "again")
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        one, two = (load_module(open_base(str(folder)))(input_ids=ids).logits for folder in (tuned, tmp_path / "again"))
    assert torch.equal(one, two)


def test_F19_another_base_is_refused(base, tuned, tmp_path):
    make_delta(base, tuned, tmp_path / "d.safetensors")
    other = open_base(str(make_causal(tmp_path / "other", seed=3)))
    with pytest.raises(AdapterMismatch, match="another base model"):
        apply_delta(other, tmp_path / "d.safetensors", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def damaged(path, change):
    with safe_open(path, framework="numpy") as stream:
        metadata = stream.metadata()
    parts = load_arrays(path)
    change(parts, metadata)
    save_arrays(parts, path, metadata=metadata)


def _flip(parts, metadata):
    key = next(key for key in parts if key.startswith("data/") and "embed" in key)
    parts[key] = parts[key].copy()
    parts[key][len(parts[key]) // 2] ^= 1


def _lose(parts, metadata):
    del parts[next(key for key in parts if key.startswith("data/"))]


def _swap_scale_and_name(parts, metadata):
    delta = json.loads(metadata["hatrack"])
    delta["files"]["../evil.json"] = "0" * 64
    metadata["hatrack"] = json.dumps(delta)


def _code(parts, metadata):
    delta = json.loads(metadata["hatrack"])
    delta["files"]["modeling.py"] = "0" * 64
    metadata["hatrack"] = json.dumps(delta)


def _other_digest(parts, metadata):
    delta = json.loads(metadata["hatrack"])
    delta["files"]["config.json"] = "0" * 64
    metadata["hatrack"] = json.dumps(delta)


@pytest.mark.parametrize("change", [_flip, _lose, _swap_scale_and_name, _code, _other_digest], ids=lambda f: f.__name__.strip("_"))
def test_F22_a_damaged_or_forged_delta_is_refused_and_leaves_nothing(base, tuned, tmp_path, change):
    path = tmp_path / "d.safetensors"
    make_delta(base, tuned, path)
    damaged(path, change)
    with pytest.raises(AdapterBroken):
        apply_delta(base, path, tmp_path / "again")
    with pytest.raises(AdapterBroken):
        verify_delta(base, path)
    assert {p.name for p in tmp_path.iterdir()} == {"tuned", "d.safetensors"}


def test_verify_leaves_nothing_behind(base, tuned, tmp_path):
    made = make_delta(base, tuned, tmp_path / "d.safetensors")
    assert verify_delta(base, tmp_path / "d.safetensors") == made == read_delta(tmp_path / "d.safetensors")
    assert {p.name for p in tmp_path.iterdir()} == {"tuned", "d.safetensors"}


def test_files_that_are_no_delta_are_refused(tuned, tmp_path):
    for path in (tmp_path / "none.safetensors", tuned / "model.safetensors", tuned / "config.json"):
        with pytest.raises(AdapterBroken):
            read_delta(path)


def test_a_folder_without_weights_and_one_with_torn_ones_are_refused(base, tuned, tmp_path):
    with pytest.raises(ModelNotFound):
        make_delta(base, tmp_path, tmp_path / "d.safetensors")
    weights = tuned / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    with pytest.raises(ModelCorrupt, match="no whole safetensors file"):
        make_delta(base, tuned, tmp_path / "d.safetensors")


def test_an_energy_that_is_no_share_is_refused(base, tuned, tmp_path):
    with pytest.raises(ConfigError):
        make_delta(base, tuned, tmp_path / "d.safetensors", rank_energy=99)


def test_the_command_makes_applies_and_verifies(hatrack, base, tuned, tmp_path):
    file = str(tmp_path / "d.safetensors")
    made = hatrack("delta", "make", base.spec, file, str(tuned))
    assert made.code == 0, made.err
    assert "bit for bit" in made.out
    assert "training_args.bin" in made.out
    applied = hatrack("delta", "apply", base.spec, file, str(tmp_path / "again"), "--json")
    assert json.loads(applied.out)["exact"] is True
    assert hatrack("delta", "verify", base.spec, file).code == 0
    refused = hatrack("delta", "verify", base.spec, file, str(tuned))
    assert refused.code == 2
    assert "takes no folder" in refused.err


def test_the_command_says_what_a_low_rank_leaves_out(hatrack, base, tuned, tmp_path):
    file = str(tmp_path / "low.safetensors")
    made = hatrack("delta", "make", base.spec, file, str(tuned), "--rank-energy", "0.9")
    assert made.code == 0, made.err
    assert "approximate: " in made.out
    assert "of the norm of the differences is missing" in made.out
    verified = hatrack("delta", "verify", base.spec, file, "--json")
    assert json.loads(verified.out)["exact"] is False
