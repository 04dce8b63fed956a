"""Full fine-tuning stored as a delta: one file that turns the base, bit for bit, into the tuned model's folder.

The delta is itself a safetensors file of byte tensors; what they are stands in its metadata (``Delta``):

    header/FILE        the header of a weights file, whole
    data/FILE/TENSOR   the difference to the base's tensor, or the tensor itself where the base has none like it;
                       absent where both are equal
    left/, right/      the factors of a low-rank difference (``rank_energy`` only)
    plain/FILE         config, tokenizer and the like, where they differ from the base's
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hatrack.core.atomic import STAGING, staged_folder, storage_errors
from hatrack.core.digest import sha256_file
from hatrack.core.errors import AdapterBroken, AdapterMismatch, ConfigError, ModelNotFound
from hatrack.models.delta.encode import encode_model
from hatrack.models.delta.record import Delta
from hatrack.models.delta.restore import restore_model
from hatrack.models.fingerprint import fingerprint
from hatrack.models.loading import BaseModelFiles

__all__ = ["apply_delta", "make_delta", "read_delta", "verify_delta"]

_METADATA = "hatrack"


def make_delta(base: BaseModelFiles, tuned: Path, target: Path, rank_energy: float | None = None) -> Delta:
    """Write the difference between the model in ``tuned`` and ``base`` to the file ``target``.

    The delta is applied once before it is written: what it restores is what it is named after.

    Args:
        rank_energy: share of each difference's squared norm to keep, at the smallest rank; None: exact.

    Raises:
        ModelNotFound: ``tuned`` holds no weights. ModelCorrupt: they cannot be read.
        ConfigError: an energy that is no share. StorageError: the disk refuses.
    """
    if rank_energy is not None and not 0 < rank_energy < 1:
        raise ConfigError("the energy is a share", given=f"--rank-energy {rank_energy:g}", allowed="above 0 and below 1; without it: exact")
    if not any(tuned.glob("*.safetensors")):
        raise ModelNotFound("there are no weights in this folder", given=str(tuned), allowed="a folder with *.safetensors")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft, parts = encode_model(base, tuned, rank_energy)
    with storage_errors(target), tempfile.TemporaryDirectory(dir=target.parent, prefix=STAGING) as staging:
        restored, cache = Path(staging) / "model", Path(staging) / "cache"
        restored.mkdir()
        restore_model(base, draft, parts.__getitem__, restored)
        digests = {path.name: sha256_file(path) for path in sorted(restored.iterdir())}
        delta = draft.model_copy(update={"files": digests, "fingerprint": fingerprint(restored, cache)})
        if delta.exact and delta.fingerprint != fingerprint(tuned, cache):
            raise AdapterBroken("the delta does not restore the tuned model", given=str(tuned), fix="report this with the model's name")
        written = Path(staging) / "delta"
        save_file(parts, written, metadata={_METADATA: delta.model_dump_json()})
        os.replace(written, target)
    return delta


def read_delta(path: Path) -> Delta:
    """What a delta file says of itself.

    Raises:
        AdapterBroken: missing, damaged, or no delta.
    """
    try:
        with safe_open(path, framework="numpy") as stream:
            text = (stream.metadata() or {}).get(_METADATA)
        if text is None:
            raise _damaged(path, "it does not say that it is a delta")
        return Delta.model_validate_json(text)
    except (OSError, SafetensorError, ValidationError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from error


def apply_delta(base: BaseModelFiles, path: Path, folder: Path) -> Delta:
    """Restore the tuned model into ``folder``, which appears only when every file has the digest it should have.

    Raises:
        AdapterMismatch: the delta belongs to another base (F19).
        AdapterBroken: the delta is damaged. StorageError: the disk refuses.
    """
    delta = read_delta(path)
    if delta.base != base.fingerprint:
        raise AdapterMismatch(
            "this delta belongs to another base model",
            given=f"base fingerprint {delta.base[:12]}",
            allowed=f"{base.fingerprint[:12]} ({base.spec})",
            fix="name the base it was made from",
        )
    with staged_folder(folder) as staging, tempfile.TemporaryDirectory() as cache:
        try:
            with safe_open(path, framework="numpy") as stream:
                restore_model(base, delta, stream.get_tensor, staging)
        except (SafetensorError, ValueError, LookupError) as error:
            raise _damaged(path, str(error).splitlines()[0]) from error
        for name, digest in delta.files.items():
            if sha256_file(staging / name) != digest:
                raise _damaged(path, f"{name} is restored with another content")
        if fingerprint(staging, Path(cache)) != delta.fingerprint:
            raise _damaged(path, "the restored model has another fingerprint")
    return delta


def verify_delta(base: BaseModelFiles, path: Path) -> Delta:
    """As ``apply_delta``, beside the delta file; nothing is left.

    Raises:
        AdapterMismatch, AdapterBroken, StorageError: as ``apply_delta``.
    """
    with storage_errors(path), tempfile.TemporaryDirectory(dir=path.parent if path.parent.is_dir() else None, prefix=STAGING) as staging:
        return apply_delta(base, path, Path(staging) / "model")


def _damaged(path: Path, given: str) -> AdapterBroken:
    return AdapterBroken(
        f"{path.name} cannot be used as a delta", given=given, allowed="a file that `hatrack delta make` wrote", fix="make it again"
    )
