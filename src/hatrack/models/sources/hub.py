"""A base model by hub id, through huggingface_hub's own cache; no code from the hub is ever run."""

from __future__ import annotations

import re
from pathlib import Path

from hatrack.core.errors import HubUnreachable, ModelNotFound
from hatrack.models.sources.base import Report
from hatrack.models.sources.local import check_model_folder

__all__ = ["Hub"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w.-]+)?")
_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


class Hub:
    """``org/name`` or ``org/name@revision``. A copy in the local hub cache works without a network."""

    name = "hub"

    def claims(self, spec: str) -> bool:
        return _HUB_ID.fullmatch(spec) is not None

    def fetch(self, spec: str, cache: Path, report: Report) -> Path:
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
            folder = snapshot_download(repository, revision=revision or None, allow_patterns=_FILES)
        except (RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise ModelNotFound(
                "the hub has no such model, or it is private",
                given=spec,
                allowed="an existing org/name, with HF_TOKEN set for private ones",
                fix="correct the key `base` in hatrack.yaml",
            ) from error
        except HFValidationError as error:
            raise ModelNotFound("this cannot be the id of a model on the hub", given=f"{spec}: {error}", allowed="org/name") from error
        except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
            raise HubUnreachable(
                "the hub cannot be reached, and this model is not in the local cache",
                given=f"{spec}: {type(error).__name__}",
                allowed="a network, a model already in the hub cache, a path, or bundled/NAME",
                fix="set `base` to bundled/smollm2-135m-instruct, or copy the model here and give its path",
            ) from error
        path = Path(folder)
        check_model_folder(path)
        return path
