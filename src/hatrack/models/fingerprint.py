"""Identity of a base model: one hash over config, tokenizer and weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hatrack.core.atomic import write_text
from hatrack.core.digest import sha256_file, sha256_json, sha256_text
from hatrack.core.errors import ModelCorrupt

__all__ = ["fingerprint"]

# Which library wrote the file and from where says nothing about the model.
_VOLATILE = {"transformers_version", "_name_or_path", "torch_dtype", "dtype"}
_TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json", "merges.txt", "special_tokens_map.json")


def fingerprint(folder: Path, cache: Path) -> str:
    """SHA-256 over the config (without volatile keys), the tokenizer's files and every safetensors file.

    The hash of the weights is remembered in ``cache`` by path, size and modification time.

    Raises:
        ModelCorrupt: the config cannot be read.
    """
    weights = sorted(folder.glob("*.safetensors"))
    parts: dict[str, Any] = {"config": _json(folder / "config.json")}
    parts |= {name: sha256_file(folder / name) for name in _TOKENIZER if (folder / name).is_file()}
    # The chat template is not part of it: its own hash travels with every adapter.
    parts |= {path.name: _remembered(path, cache) for path in weights}
    return sha256_json(parts)


def _json(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8")).items()
    except (OSError, ValueError, AttributeError) as error:  # the last: JSON, but no object
        raise ModelCorrupt("the model's config cannot be read", given=f"{path}: {error}", fix="download it again") from error
    return {key: value for key, value in config if key not in _VOLATILE}


def _remembered(path: Path, cache: Path) -> str:
    status = path.stat()
    note = cache / "fingerprints" / sha256_text(f"{path}|{status.st_size}|{status.st_mtime_ns}")
    if note.exists():
        return note.read_text()
    digest = sha256_file(path)
    write_text(note, digest)
    return digest
