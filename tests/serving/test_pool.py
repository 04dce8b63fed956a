"""The pool: loaded once, switched by an assignment, in step with the registry, and never the wrong weights."""

from __future__ import annotations

import shutil
import statistics
import time

import pytest
import torch

from conftest import make_causal
from hatrack.core.config_file import read_config
from hatrack.core.errors import AdapterBroken, AdapterMismatch, AdapterNotFound
from hatrack.core.project import Project
from hatrack.models.host import ModelHost
from hatrack.models.loading import open_base
from hatrack.registry.promote import promote
from hatrack.registry.store import Registry
from hatrack.serving.pool import AdapterPool
from projects import copy_of, trained_by_text

PROMPT = [[5, 6, 7, 8]]


@pytest.fixture
def root(tiny_causal, tmp_path):
    return copy_of(trained_by_text(tiny_causal), tmp_path)


@pytest.fixture
def pool(root):
    return AdapterPool(ModelHost(open_base(read_config(root).base)), Registry(Project(root)))


def logits(pool, reference):
    with pool.using(reference):
        return pool.host.probe_logits(PROMPT, None)


def second_version(root, name="colours"):
    """Another version of an adapter, with the weights of the first one doubled."""
    import json
    import shutil

    from safetensors.torch import load_file, save_file

    from hatrack.core.digest import sha256_file
    from hatrack.models.adapters.probe import write_probe

    registry = Registry(Project(root))
    first = registry.resolve(f"{name}@1.0.0")
    folder = root / "second"
    shutil.copytree(registry.folder(first), folder)
    weights = load_file(folder / "adapter_model.safetensors")
    save_file({key: 2 * tensor if "lora_B" in key else tensor for key, tensor in weights.items()}, folder / "adapter_model.safetensors")
    host = ModelHost(open_base(read_config(root).base))
    base = host.probe_logits(PROMPT, None)
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["r"] == 8
    (folder / "probe.safetensors").unlink()
    from hatrack.models.adapters.base import read_variants
    from hatrack.models.adapters.switch import place

    place(host.module, read_variants(folder, host.module), "new", host._active)
    host._active.name = "new"  # by hand: attaching would ask for the probe that is made here
    write_probe(folder, PROMPT, host.probe_logits(PROMPT, None), base)
    files = {file: sha256_file(folder / file) for file in first.files}
    return registry.add(first.model_copy(update={"version": "1.0.1", "digest": "b" * 64, "files": files}), folder)


def test_the_second_use_of_a_resident_adapter_loads_nothing(pool):
    first = logits(pool, "colours")
    assert pool.loads == 1
    assert torch.equal(first, logits(pool, "colours@1.0.0"))
    assert torch.equal(first, logits(pool, "colours@latest"))
    assert pool.loads == 1


def test_switching_between_two_resident_adapters_takes_less_than_a_millisecond(pool):
    for name in ("colours", "shy"):
        logits(pool, name)
    seconds = []
    for turn in range(200):
        start = time.perf_counter()
        with pool.using("colours" if turn % 2 else "shy"):
            seconds.append(time.perf_counter() - start)
    assert statistics.median(seconds) < 0.001
    assert pool.loads == 2


def test_resident_adapters_answer_differently_from_each_other_and_from_the_base(pool):
    answers = {name: logits(pool, name) for name in ("base", "colours", "shy")}
    for one, other in (("base", "colours"), ("base", "shy"), ("colours", "shy")):
        assert (answers[one] - answers[other]).abs().max() > 0.01


def test_F33_base_is_the_base_whatever_was_used_before(pool, root):
    alone = ModelHost(open_base(read_config(root).base)).probe_logits(PROMPT, None)
    assert torch.equal(logits(pool, "base"), alone)
    logits(pool, "colours")
    assert torch.equal(logits(pool, "base"), alone)
    with pool.using("colours"), pool.using("base") as resident:
        assert torch.equal(pool.host.probe_logits(PROMPT, None), alone)
        assert resident.adapter is None


def test_F24_a_moved_alias_is_seen_by_a_running_pool_and_back_again(pool, root):
    old = logits(pool, "colours")
    promote(Registry(Project(root)), "colours@1.0.0", override="first")
    second_version(root)
    assert torch.equal(logits(pool, "colours"), old)  # the champion, not the newest
    time.sleep(0.02)
    promote(Registry(Project(root)), "colours@1.0.1", override="second")
    new = logits(pool, "colours")
    assert (new - old).abs().max() > 0.01
    assert torch.equal(logits(pool, "colours@1.0.0"), old)
    time.sleep(0.02)
    promote(Registry(Project(root)), "colours@1.0.0", override="back")
    assert torch.equal(logits(pool, "colours"), old)
    assert pool.loads == 2


def test_an_unloaded_adapter_frees_its_matrices_and_loads_again_when_it_is_asked(pool):
    before = logits(pool, "colours")
    pool.unload(pool.resolve("colours"))
    assert pool.host.adapters == {}
    assert not any(getattr(module, "matrices", None) for module in pool.host.module.modules())
    assert torch.equal(logits(pool, "colours"), before)
    assert pool.loads == 2


def test_F23_an_unknown_adapter_is_refused_and_never_answered_by_the_base(pool):
    with pytest.raises(AdapterNotFound, match="no adapter called 'colour'") as refused, pool.using("colour"):
        pytest.fail("something answered")
    assert refused.value.fix == "did you mean colours?"
    with pytest.raises(AdapterNotFound), pool.using("colours@9.0.0"):
        pytest.fail("something answered")


@pytest.mark.parametrize("name", ["../colours", "/etc/passwd", "colours/../colours", "."])
def test_F31_a_path_is_no_name(pool, name):
    with pytest.raises(AdapterNotFound, match="cannot be the name"), pool.using(name):
        pytest.fail("something answered")


def test_F19_adapters_of_another_base_are_refused_and_the_base_stays_usable(root, tmp_path):
    other = make_causal(tmp_path / "other", seed=4)
    pool = AdapterPool(ModelHost(open_base(str(other))), Registry(Project(root)))
    before = logits(pool, "base")
    with pytest.raises(AdapterMismatch, match="another base"), pool.using("colours"):
        pytest.fail("something answered")
    assert pool.loads == 0
    assert pool.host.adapters == {}
    assert torch.equal(logits(pool, "base"), before)


def test_a_damaged_adapter_is_refused_and_the_others_go_on(pool, root):
    registry = Registry(Project(root))
    shutil.rmtree(root / ".hatrack" / "cache", ignore_errors=True)  # else the whole copy of an earlier use is taken
    registry.blobs.path(registry.resolve("shy").files["adapter_model.safetensors"]).write_bytes(b"\0" * 64)
    with pytest.raises(AdapterBroken), pool.using("shy"):
        pytest.fail("something answered")
    assert logits(pool, "colours").isfinite().all()


def test_an_error_inside_a_block_gives_the_base_back(pool):
    plain = logits(pool, "base")
    with pytest.raises(RuntimeError, match="inside"), pool.using("colours"):
        raise RuntimeError("inside")
    assert torch.equal(pool.host.probe_logits(PROMPT, None), plain)
