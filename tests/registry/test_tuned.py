"""Full fine-tuning as a version: stored as differences, served bit for bit, written out as a model, made smaller and measured."""

from __future__ import annotations

import functools
import json
import shutil

import pytest
import torch
from safetensors.numpy import load_file, save_file

from conftest import label_rows, make_encoder, write_jsonl
from hatrack.core.errors import AdapterBroken
from hatrack.core.project import Project
from hatrack.models.adapters.base import read_variants
from hatrack.models.adapters.delta import held_by, owners
from hatrack.models.adapters.switch import Active, Switch
from hatrack.models.delta.parameters import read_record, restore_parameters, write_parameters
from hatrack.models.loading import load_module, open_base
from hatrack.registry.store import Registry
from hatrack.training.methods.full.method import Full, FullOptions
from projects import copy_of, write_project
from tiny_training import train_and_register

METHODS = {"full": {}, "last-n": {"n": 1}}


@functools.cache
def trained(base):
    """``full`` and ``last-n`` classifiers, registered and not evaluated."""
    root = base.parent / "project-tuned"
    write_jsonl(root / "data.jsonl", label_rows(90))
    one = {"data": "data.jsonl", "task": "classify", "train": {"epochs": 2, "batch_size": 16, "max_length": 64, "learning_rate": 0.003}}
    write_project(root, base, {name: {**one, "method": name, **more} for name, more in METHODS.items()})
    for name in METHODS:
        train_and_register(root, name)
    return root


@pytest.fixture
def project(tiny_encoder, tmp_path):
    return copy_of(trained(tiny_encoder), tmp_path)


def weights_of(project, name="full"):
    registry = Registry(Project(project))
    return registry.folder(registry.resolve(name)) / "adapter_model.safetensors"


@pytest.mark.parametrize("name", METHODS)
def test_a_version_is_stored_as_differences_smaller_than_the_parameters(project, name):
    record = read_record(weights_of(project, name))
    assert record.exact
    assert "difference" in record.codings.values()
    assert "whole" not in record.codings.values()
    assert weights_of(project, name).stat().st_size < 0.95 * record.bytes_tuned


@pytest.mark.parametrize("kind", ["encoder", "causal"])
def test_what_is_served_is_what_was_trained_bit_for_bit(request, tmp_path, kind):
    base = open_base(str(request.getfixturevalue(f"tiny_{kind}")), cache=tmp_path / "cache")
    method, module = Full(), load_module(base)
    adapted, _ = method.apply(module, FullOptions(), kind)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(1e-4 * torch.randn(parameter.shape, generator=generator))
    expected = method.tensors(adapted.placed)
    method.export(adapted, tmp_path, "base")
    read = read_variants(tmp_path, Switch(load_module(base), Active()))
    served = {f"{path}.{name}": tensor for path, variant in read.items() for name, tensor in variant.named_parameters()}
    assert expected.keys() <= served.keys()
    assert len(expected) == sum(not name.startswith("pooler.") for name in owners(load_module(base)))
    for name, tensor in expected.items():
        assert torch.equal(served[name], tensor), name


def test_F19_parameters_are_not_restored_on_another_base(project, tmp_path):
    other = open_base(str(make_encoder(tmp_path / "other", seed=3)), cache=tmp_path / "cache")
    path = weights_of(project)
    with pytest.raises(AdapterBroken, match="does not give the tuned weights back"):
        restore_parameters(path, read_record(path), held_by(load_module(other)))


def _flip(parts, record):
    key = max(parts, key=lambda key: parts[key].size)
    parts[key] = parts[key].copy()
    parts[key][parts[key].size // 2] ^= 1


def _lose(parts, record):
    del parts[next(iter(parts))]


def _same(parts, record):
    record["codings"] = dict.fromkeys(record["codings"], "same")


@pytest.mark.parametrize("change", [_flip, _lose, _same], ids=lambda f: f.__name__.strip("_"))
def test_F22_a_damaged_or_forged_file_is_refused(project, tiny_encoder, tmp_path, change):
    path = tmp_path / "w.safetensors"
    source = weights_of(project)
    parts, record = dict(load_file(source)), json.loads(read_record(source).model_dump_json())
    change(parts, record)
    save_file(parts, path, metadata={"hatrack": json.dumps(record)})
    with pytest.raises(AdapterBroken, match="does not give the tuned weights back"):
        restore_parameters(path, read_record(path), held_by(load_module(open_base(str(tiny_encoder)))))


def test_a_parameter_that_the_base_has_not_is_kept_whole(tmp_path):
    changed = {"a": torch.randn(3, 4), "b": torch.zeros(5), "c": torch.ones(2, 2)}
    base = {"a": changed["a"] + 1e-3, "b": torch.zeros(5), "c": torch.ones(4)}
    record = write_parameters(tmp_path / "w", base.get, changed)
    assert record.codings == {"a": "difference", "b": "same", "c": "whole"}
    restored = restore_parameters(tmp_path / "w", record, base.get)
    assert all(torch.equal(restored[name], tensor) for name, tensor in changed.items())


def test_delta_apply_writes_the_tuned_model_and_verify_writes_nothing(project, hatrack, tiny_encoder, tmp_path):
    file = shutil.copyfile(weights_of(project), tmp_path / "full.safetensors")
    ran = hatrack("delta", "apply", str(tiny_encoder), str(file), str(tmp_path / "tuned"))
    assert ran.code == 0, ran.err
    assert "bit for bit" in ran.out
    base, tuned = open_base(str(tiny_encoder)), open_base(str(tmp_path / "tuned"))
    assert tuned.tokenizer("a red lamp")["input_ids"] == base.tokenizer("a red lamp")["input_ids"]
    expected = restore_parameters(file, read_record(file), held_by(load_module(base)))
    module = load_module(tuned)
    assert all(torch.equal(module.get_parameter(name), tensor) for name, tensor in expected.items())
    before = sorted(tmp_path.iterdir())
    assert hatrack("delta", "verify", str(tiny_encoder), str(file)).code == 0
    assert sorted(tmp_path.iterdir()) == before


def test_a_shrunk_version_is_a_new_one_that_says_its_error_and_is_measured(project, hatrack):
    ran = hatrack("shrink", "full@1.0.0", "--rank-energy", "0.9", "--json", project=project)
    assert ran.code in (0, 1), ran.err
    made = json.loads(ran.out)
    assert made["version"] == "1.0.1"
    assert made["parents"] == [Registry(Project(project)).resolve("full@1.0.0").digest]
    assert made["config"]["delta"]["rank_energy"] == 0.9
    assert made["bytes"] < made["bytes_before"]
    assert 0 < made["relative_error"] < 0.1**0.5 + 0.01
    assert made["report"]["adapter_digest"] == made["digest"]
    again = hatrack("shrink", "full@1.0.1", project=project)
    assert again.code == 2
    assert "shrunk already" in again.err
