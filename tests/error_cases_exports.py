"""The faults of leaving for other tools and of coming from them, for docs/errors.md."""

from __future__ import annotations

import errno
import json
import shutil
import sys
from pathlib import Path

from error_cases_derived import _forms
from error_place import Place, case, fault
from hatrack.core.project import Project
from hatrack.registry.store import Registry

__all__: list[str] = []


def _left(at: Place) -> Path:
    """The folder of a classifier as `export --to peft` wrote it."""
    from hatrack.cli.main import main

    at.trained()
    out = at.tmp / "left"
    arguments = ["export", "words", "--to", "peft", "--out", str(out), "--rows", "0", "--project", str(at.root)]
    at.quietly(lambda: main(arguments))
    return out


def _foreign(at: Place, base: str, weights: bytes | None = None) -> Path:
    """What a stranger's PEFT folder may look like, for a project on a causal base."""
    source = next(_forms(at).glob(".hatrack/runs/plain-*/adapter"))
    folder = at.tmp / "foreign"
    folder.mkdir()
    content = (source / "adapter_model.safetensors").read_bytes()
    (folder / "adapter_model.safetensors").write_bytes(content if weights is None else weights)
    config = json.loads((source / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": base}))
    return folder


# leaving
@case("export: an unknown format", "there is no exporter called 'ggu'", "did you mean gguf?")
def _unknown_format(at: Place) -> str:
    at.trained()
    return f"export words --to ggu --out {at.tmp / 'out'}"


@case("export: a classifier to llama.cpp", "cannot be exported as gguf", "folder, onnx, peft")
def _not_for_encoders(at: Place) -> str:
    at.trained()
    return f"export words --to gguf --out {at.tmp / 'out'}"


@case("export: a form that the format does not know", "cannot be exported as gguf-adapter", "plain LoRA; this is delta", "merged")
def _not_this_form(at: Place) -> str:
    _forms(at)
    return f"export tuned --to gguf-adapter --out {at.tmp / 'out'}"


@case("export: biases that the architecture has no place for", "cannot be folded into its base", "which the base does not have")
def _no_place(at: Place) -> str:
    _forms(at)
    return f"export biases --to merged --out {at.tmp / 'out'}"


@case("export: a precision that nothing here writes", "precision cannot be written here", "Q4_K", "llama-quantize")
def _no_precision(at: Place) -> str:
    _forms(at)
    return f"export plain --to gguf --precision Q4_K --out {at.tmp / 'out'}"


@case("export: into a folder of something else", "holds something that is no export", "--out")
def _somebodys(at: Place) -> str:
    return f"export words --to peft --out {at.trained()}"


@case("export: the tool to try it out is missing", "xllamacpp", "hatrack[llamacpp]")
def _no_tool(at: Place) -> str:
    _forms(at)
    at.patch.setitem(sys.modules, "xllamacpp", None)
    return f"export plain --to gguf --out {at.tmp / 'out'}"


@case("export: the disk is full", "the disk is full", "free some space")
def _full(at: Place) -> str:
    at.trained()
    at.refuse(shutil, "copyfile", errno.ENOSPC, lambda source, target: ".staging-" in str(target) and ".hatrack" not in str(target))
    return f"export words --to peft --out {at.tmp / 'out'} --rows 0"


# coming
fault("import: nothing is there", "import ./nowhere --as guest", lambda at: at.trained(), "no adapter at this place", "./nowhere")
fault("import: no hub id", "import org/na..me --as guest", lambda at: at.trained(), "cannot be the id of an adapter", "org/na..me")
fault("import: no name for it", "import ./nowhere --as base", lambda at: at.trained(), "not be 'base'")


@case("import: pickled weights", "pickled", "adapter_model.bin", "safetensors")
def _pickled(at: Place) -> str:
    folder = _left(at)
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    return f"import {folder} --as guest"


@case("import: an export that was changed on its way", "is not the file that was exported", "export.json", "copy the folder again")
def _changed(at: Place) -> str:
    path = _left(at) / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    return f"import {path.parent} --as guest"


@case("import: a truncated file", "cannot be used", "adapter_model.safetensors")
def _truncated(at: Place) -> str:
    path = _foreign(at, "speaking-llama") / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    return f"import {path.parent} --as guest"


@case("import: it names another base", "trained on another base model", "org/other-7b", "--same-base")
def _other_name(at: Place) -> str:
    return f"import {_foreign(at, 'org/other-7b')} --as guest"


@case("import: it was exported for another base", "trained on another base model", "base fingerprint")
def _other_fingerprint(at: Place) -> str:
    from conftest import make_encoder
    from projects import write_project

    folder = _left(at)
    adapter = {"data": "words.jsonl", "task": "classify"}
    at.root = write_project(at.tmp / "other", make_encoder(at.tmp / "other-base", seed=3), {"first": adapter})
    return f"import {folder} --as guest"


@case("import: a stranger's adapter for an encoder", "no common form", "hatrack export --to peft")
def _stranger_on_encoder(at: Place) -> str:
    folder = _left(at)
    (folder / "hatrack.json").unlink()
    return f"import {folder} --as guest"


@case("import: a GGUF file that is cut off", "cannot be read as a LoRA in GGUF", "whole file")
def _cut_off(at: Place) -> str:
    _forms(at)
    (at.tmp / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    return f"import {at.tmp / 'cut.gguf'} --as guest"


# as one file
def _keyed(at: Place) -> Path:
    """A project with a classifier, and a key to sign a bundle of it with."""
    at.patch.setenv("HATRACK_SIGNING_KEY", "0" * 64)
    return at.trained()


@case("bundle: no key to sign with", "no key to sign it with", "HATRACK_SIGNING_KEY", "hatrack bundle --new-key")
def _no_key(at: Place) -> str:
    at.trained()
    at.patch.delenv("HATRACK_SIGNING_KEY", raising=False)
    return f"bundle {at.tmp / 'x.hatrack'}"


@case("bundle: a version with a damaged file", "words@1.0.0", "damaged in the registry", "hatrack registry verify")
def _damaged_version(at: Place) -> str:
    _keyed(at)
    registry = Registry(Project(at.root))
    registry.blobs.path(registry.resolve("words").files["head.safetensors"]).write_bytes(b"\0" * 100)
    return f"bundle {at.tmp / 'x.hatrack'}"


@case("bundle: a database that cannot be copied", "vectors.db cannot be copied", "file is not a database", "look at the disk")
def _no_copy(at: Place) -> str:
    store = _keyed(at) / ".hatrack" / "kb" / "vectors"
    store.mkdir(parents=True)
    (store / "vectors.db").write_bytes(b"no database " * 400)
    return f"bundle {at.tmp / 'x.hatrack'}"


fault("unbundle: nobody is trusted", "unbundle x.hatrack --into there", lambda at: None, "whom you trust", "--signed-by", inside=False)
fault("unbundle: nothing is there", "unbundle nowhere.hatrack --verify", lambda at: None, "no such bundle", inside=False)


@case("unbundle: a file that is none", "cannot be trusted as a bundle", "hatrack bundle", inside=False)
def _no_bundle(at: Place) -> str:
    (at.tmp / "x.hatrack").write_bytes(b"no bundle" * 100)
    return f"unbundle {at.tmp / 'x.hatrack'} --verify"
