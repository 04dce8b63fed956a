"""Where a foreign adapter lies: a folder, a GGUF file, or a hub id. Pickled weights are never opened (F22)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from hatrack.core.errors import AdapterBroken, AdapterNotFound, HubUnreachable
from hatrack.core.exported import EXPORT
from hatrack.models.adapters.folder import CARD, CONFIG, HEAD, PROBE, WEIGHTS

__all__ = ["find_adapter"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w.-]+)?")
_WANTED = [WEIGHTS, CONFIG, HEAD, CARD, PROBE, EXPORT, "*.gguf"]


def find_adapter(spec: str, report: Callable[[str], None]) -> Path:
    """The folder in PEFT's layout, or the GGUF file.

    Raises:
        AdapterNotFound: nothing is there. HubUnreachable: it is on a hub that does not answer.
        AdapterBroken: it is there and is no adapter, or its weights are pickled.
    """
    path = Path(spec).expanduser()
    if path.is_file():
        if path.suffix != ".gguf":
            raise _no_adapter(f"the file {path.name}")
        return path
    if not path.is_dir():
        if spec.startswith(("/", ".", "~")) or _HUB_ID.fullmatch(spec) is None:
            raise AdapterNotFound(
                "there is no adapter at this place", given=spec, allowed="a folder of PEFT, a LoRA in a .gguf file, or a hub id org/name"
            )
        path = _from_hub(spec, report)
    if not (path / WEIGHTS).is_file():
        pickled = sorted(found.name for pattern in ("*.bin", "*.pt", "*.pth") for found in path.glob(pattern))
        if pickled:
            raise AdapterBroken(
                "the adapter's weights are pickled; opening them would run whatever code is in them",
                given=", ".join(pickled),
                allowed=WEIGHTS,
                fix="ask its maker for safetensors: model.save_pretrained(folder) of any PEFT of today writes them",
            )
        ggufs = sorted(path.glob("*.gguf"))
        if len(ggufs) == 1 and not (path / CONFIG).is_file():
            return ggufs[0]
        if (path / CONFIG).is_file():  # pickled weights of a hub are not even fetched
            raise _no_adapter(f"{CONFIG} without {WEIGHTS}")
        raise _no_adapter(", ".join(sorted(found.name for found in path.iterdir())[:6]) or "an empty folder")
    if not (path / CONFIG).is_file():
        raise _no_adapter(f"{WEIGHTS} without {CONFIG}")
    return path


def _from_hub(spec: str, report: Callable[[str], None]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repository, _, revision = spec.partition("@")
    report(f"asking the hub for {spec}")
    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=_WANTED))
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise AdapterNotFound(
            "the hub has no such adapter, or it is private", given=spec, allowed="an existing org/name, with HF_TOKEN set for private ones"
        ) from error
    except HFValidationError as error:
        raise AdapterNotFound("this cannot be the id of an adapter on the hub", given=f"{spec}: {error}", allowed="org/name") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise HubUnreachable(
            "the hub cannot be reached, and this adapter is not in the local cache",
            given=f"{spec}: {type(error).__name__}",
            allowed="a network, an adapter already in the hub cache, or a path",
            fix="copy the adapter here and give its path",
        ) from error


def _no_adapter(given: str) -> AdapterBroken:
    return AdapterBroken(
        "this is no adapter that can be taken over",
        given=given,
        allowed=f"a folder with {WEIGHTS} and {CONFIG}, or a LoRA in a .gguf file",
        fix="give the folder that model.save_pretrained of PEFT wrote",
    )
