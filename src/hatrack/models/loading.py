"""Opening a base model: first what can be known without loading it, then the module itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hatrack.core.errors import ModelCorrupt
from hatrack.core.project import cache_home
from hatrack.models.fingerprint import fingerprint
from hatrack.models.sources.base import Report, resolve
from hatrack.models.tokenizer import read_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

__all__ = ["BaseModelFiles", "Kind", "load_module", "open_base"]

Kind = Literal["causal", "encoder"]


@dataclass(frozen=True)
class BaseModelFiles:
    """A base model on disk.

    Attributes:
        spec: as the user wrote it.
        folder: where config, tokenizer and safetensors lie.
    """

    spec: str
    folder: Path
    cache: Path

    @cached_property
    def fingerprint(self) -> str:
        """See ``hatrack.models.fingerprint``."""
        return fingerprint(self.folder, self.cache)

    @cached_property
    def config(self) -> dict[str, Any]:
        """``config.json`` as it stands.

        Raises:
            ModelCorrupt: it cannot be read.
        """
        path = self.folder / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelCorrupt("the model's config cannot be read", given=f"{path}: {error}") from error
        if not isinstance(config, dict):
            raise ModelCorrupt("the model's config cannot be read", given=f"{path}: {type(config).__name__}", allowed="a JSON object")
        return config

    @property
    def kind(self) -> Kind:
        """``causal`` when the architecture generates text, else ``encoder``."""
        names = self.config.get("architectures") or [""]
        return "causal" if names[0].endswith(("ForCausalLM", "LMHeadModel")) else "encoder"

    @property
    def layers(self) -> int:
        """How many blocks it has; 0 where the config does not say."""
        return int(self.config.get("num_hidden_layers") or 0)

    @property
    def positions(self) -> int | None:
        """The longest text it can read, in tokens; None where the config does not say."""
        found = self.config.get("max_position_embeddings") or self.config.get("n_positions")
        return int(found) if found else None

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """Every token id the model itself ends an answer with, from its generation config; often more than one."""
        path = self.folder / "generation_config.json"
        try:
            declared = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id") if path.is_file() else None
        except (OSError, ValueError) as error:
            raise ModelCorrupt("the model's generation config cannot be read", given=f"{path}: {error}") from error
        return (declared,) if isinstance(declared, int) else tuple(declared or ())

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer, read from the folder only.

        Raises:
            ModelCorrupt: its files cannot be read.
        """
        return read_tokenizer(self.folder, self.config)


def open_base(spec: str, *, cache: Path | None = None, report: Report = lambda line: None) -> BaseModelFiles:
    """Find a base model by ``bundled/NAME``, path or hub id. Nothing is loaded yet.

    Raises:
        ModelError: missing, corrupt, of another content, or out of reach; each its own class.
    """
    where = cache or cache_home()
    return BaseModelFiles(spec, resolve(spec, where, report), where)


def load_module(files: BaseModelFiles, *, scoring: bool = False) -> torch.nn.Module:
    """The torch module in float32, in evaluation mode, with no weight left to chance.

    Args:
        scoring: with the head of a sequence-classification model.

    Raises:
        ModelCorrupt: the weights cannot be read, or some that the architecture needs are missing.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

    _quiet()
    encoder: Any = AutoModelForSequenceClassification if scoring else AutoModel
    auto: Any = AutoModelForCausalLM if files.kind == "causal" else encoder
    try:
        module, info = auto.from_pretrained(
            str(files.folder),
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelCorrupt(
            "the base model's weights cannot be read", given=f"{files.folder}: {error}", fix="download or install it again"
        ) from error
    # A pooler is often absent from encoders and never used here.
    missing = sorted(key for key in info["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise ModelCorrupt(
            f"the base model lacks {len(missing)} of its weights; they would be random",
            given=", ".join(missing[:3]),
            fix="download or install it again",
        )
    module.eval()
    module.requires_grad_(False)
    return module  # type: ignore[no-any-return]  # the auto classes are typed Any


def _quiet() -> None:
    """Loading a model is not worth three progress bars and a warning; what matters is raised as an error."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # untyped in transformers
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # as above
