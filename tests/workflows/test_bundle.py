"""A project as one signed file: whole on the other side, used there without a network, refused when anything was changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile

import pytest

from exported_projects import causal_project, encoder_project, open_bench
from hatrack.core.errors import AdapterBroken, AdapterMismatch, ConfigError
from hatrack.workflows.bundle.pack import pack
from hatrack.workflows.bundle.record import HEAD, KEY, SIGNATURE, new_key
from hatrack.workflows.bundle.unpack import unpack, verify

pytest.importorskip("cryptography", reason='pip install "hatrack[bundle]"')
PRIVATE, PUBLIC = new_key()


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(KEY, PRIVATE)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.mktemp("bundle")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return tmp_path_factory.getbasetemp() / "exported"


@pytest.fixture
def packed(places, trained):
    """An encoder's project with a wheel beside it, packed once."""
    out = places / "words.hatrack"
    if not out.is_file():
        (places / "wheels").mkdir()
        (places / "wheels" / "some-1.0-py3-none-any.whl").write_bytes(b"a wheel")
        pack(open_bench(encoder_project(trained)), out, places / "wheels")
    return out


def rewritten(packed, target, change):
    """The same members, of which ``change(name, content)`` alters some; None leaves one out."""
    with tarfile.open(packed) as old, tarfile.open(target, "w") as new:
        for member in old:
            content = change(member.name, old.extractfile(member).read())
            if content is not None:
                member.size = len(content)
                import io

                new.addfile(member, io.BytesIO(content))
    return target


def test_what_is_unpacked_is_a_project_with_the_same_versions(packed, trained, tmp_path):
    found = unpack(packed, tmp_path / "there", PUBLIC)
    assert found.signer == PUBLIC
    here, there = open_bench(encoder_project(trained)), open_bench(tmp_path / "there")
    assert there.config.base == "./base"
    assert there.files.fingerprint == here.files.fingerprint
    assert there.registry.resolve("words") == here.registry.resolve("words")
    assert found.record.versions == ("words@1.0.0",)
    assert (tmp_path / "there" / "wheels" / "some-1.0-py3-none-any.whl").read_bytes() == b"a wheel"


def test_a_bundle_says_nothing_of_the_machine_it_was_made_on(packed, places):
    with tarfile.open(packed) as tar:
        members = tar.getmembers()
        head = tar.extractfile(members[0]).read().decode()
    assert [member.name for member in members[:2]] == [HEAD, SIGNATURE]
    assert all((member.uid, member.gid, member.mtime, member.uname) == (0, 0, 0, "") for member in members)
    assert PRIVATE not in head
    names = {file["name"] for file in json.loads(head)["files"]}
    assert {"hatrack.yaml", ".hatrack/registry.db", "base/model.safetensors", "base/tokenizer.json"} <= names
    assert not any("runs" in name or "keys" in name or name.endswith("words.jsonl") for name in names)


def test_on_a_machine_without_routes_it_is_unpacked_and_used(packed, tmp_path):
    alone = ["unshare", "-n", "--"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make a network namespace")
    route = subprocess.run([*alone, "cat", "/proc/net/route"], capture_output=True, text=True, check=True).stdout
    assert len(route.splitlines()) <= 1, "only the heading: no route at all"
    environment = {**os.environ, "HATRACK_CACHE": str(tmp_path / "cache")}
    environment.pop("HF_HUB_OFFLINE", None)
    hatrack = [*alone, sys.executable, "-m", "hatrack"]
    into = ["--into", str(tmp_path / "there"), "--signed-by", PUBLIC]
    ran = subprocess.run([*hatrack, "unbundle", str(packed), *into], capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    assert f'pip install --no-index --find-links {tmp_path}/there/wheels "hatrack[bundle,serve]"' in ran.stdout
    (tmp_path / "texts.jsonl").write_text(json.dumps({"text": "lamp red tree"}) + "\n")
    asked = ["classify", "words", str(tmp_path / "texts.jsonl"), "--project", str(tmp_path / "there")]
    ran = subprocess.run([*hatrack, *asked], capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    assert any(label in ran.stdout for label in ("red", "green", "blue"))


CHANGES = {
    "a file": lambda name, content: content[:-1] + b"x" if name == "base/config.json" else content,
    "the head": lambda name, content: content.replace(b"words@1.0.0", b"words@9.0.0") if name == HEAD else content,
    "a file less": lambda name, content: None if name == "hatrack.yaml" else content,
    "the signature": lambda name, content: content[:-40] + bytes([content[-40] ^ 1]) + content[-39:] if name == SIGNATURE else content,
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_found_and_nothing_is_unpacked(packed, tmp_path, what):
    changed = rewritten(packed, tmp_path / "changed.hatrack", CHANGES[what])
    for act in (lambda: verify(changed), lambda: unpack(changed, tmp_path / "there", PUBLIC)):
        with pytest.raises(AdapterBroken, match="cannot be trusted"):
            act()
    assert [path.name for path in tmp_path.iterdir()] == ["changed.hatrack"]


def test_one_file_more_is_found(packed, tmp_path):
    more = rewritten(packed, tmp_path / "more.hatrack", lambda name, content: content)
    (tmp_path / "x").write_text("x")
    with tarfile.open(more, "a") as tar:
        tar.add(tmp_path / "x", "x")
    with pytest.raises(AdapterBroken, match="cannot be trusted"):
        verify(more)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9])
def test_a_cut_off_file_is_refused(packed, tmp_path, share):
    content = packed.read_bytes()
    (tmp_path / "cut.hatrack").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(AdapterBroken, match="cannot be trusted"):
        verify(tmp_path / "cut.hatrack")


def test_another_signer_is_refused_whoever_it_is(packed, trained, tmp_path, monkeypatch):
    private, public = new_key()
    with pytest.raises(AdapterMismatch, match="somebody else"):
        unpack(packed, tmp_path / "there", public)
    monkeypatch.setenv(KEY, private)
    pack(open_bench(encoder_project(trained)), tmp_path / "other.hatrack", None)
    assert verify(tmp_path / "other.hatrack").signer == public
    with pytest.raises(AdapterMismatch):
        unpack(tmp_path / "other.hatrack", tmp_path / "there", PUBLIC)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a//b", ""])
def test_a_name_that_leads_elsewhere_is_refused(name):
    from pydantic import ValidationError

    from hatrack.workflows.bundle.record import BundledFile

    with pytest.raises(ValidationError):
        BundledFile(name=name, bytes=1, sha256="0" * 64)


def test_without_a_key_nothing_is_packed(trained, tmp_path, monkeypatch):
    monkeypatch.delenv(KEY)
    with pytest.raises(ConfigError, match="no key"):
        pack(open_bench(encoder_project(trained)), tmp_path / "x.hatrack", None)
    monkeypatch.setenv(KEY, "secret words")
    with pytest.raises(ConfigError) as refused:
        pack(open_bench(encoder_project(trained)), tmp_path / "x.hatrack", None)
    assert "secret" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_commands(packed, tmp_path, hatrack, trained):
    made = json.loads(hatrack("bundle", "--new-key", "--json").out)
    assert len(made["private"]) == len(made["public"]) == 64
    ran = hatrack("unbundle", str(packed), "--verify")
    assert ran.code == 0, ran.err
    assert PUBLIC in ran.out
    assert hatrack("unbundle", str(packed), "--into", str(tmp_path / "there")).code == 2
    ran = hatrack("bundle", str(tmp_path / "x.hatrack"), project=encoder_project(trained))
    assert ran.code == 0, ran.err
    assert "not trained" in ran.out
    assert 'pip install "hatrack[bundle,serve]"' in ran.out


def test_without_its_package_it_says_which_extra_is_missing(packed, monkeypatch, hatrack):
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    ran = hatrack("unbundle", str(packed), "--verify")
    assert ran.code == 2
    assert 'pip install "hatrack[bundle]"' in ran.err


def test_documents_go_along_and_a_source_does_not_pass_for_a_wheel(trained, tmp_path, hatrack):
    pytest.importorskip("faiss", reason='pip install "hatrack[knowledge]"')
    here, there, wheels = (tmp_path / name for name in ("here", "there", "wheels"))
    shutil.copytree(encoder_project(trained), here)
    with (here / "hatrack.yaml").open("a") as config:
        config.write("\nknowledge: {embedder: 'hashing:64'}\n")
    (here / "facts.txt").write_text("A lost card costs ten euros.")
    assert hatrack("kb", "add", str(here / "facts.txt"), project=here).code == 0
    wheels.mkdir()
    for name in ("some-1.0-py3-none-any.whl", "other-1.0.tar.gz"):
        (wheels / name).write_bytes(b"x")
    record = pack(open_bench(here), tmp_path / "facts.hatrack", wheels)
    assert record.requirement == "hatrack[bundle,knowledge,serve]"
    assert [file.name for file in record.files if file.name.startswith("wheels/")] == ["wheels/some-1.0-py3-none-any.whl"]
    assert any("other-1.0.tar.gz is no wheel" in line for line in record.left_out)
    unpack(tmp_path / "facts.hatrack", there, PUBLIC)
    assert "ten euros" in hatrack("kb", "search", "lost card", project=there).out


def test_it_holds_every_form_of_a_causal_project(trained, tmp_path):
    bench = open_bench(causal_project(trained))
    record = pack(bench, tmp_path / "c.hatrack", None)
    unpack(tmp_path / "c.hatrack", tmp_path / "there", PUBLIC)
    there = open_bench(tmp_path / "there")
    assert set(record.versions) == {f"{name}@1.0.0" for name in bench.registry.names()}
    for name in bench.registry.names():
        there.registry.folder(there.registry.resolve(name))
