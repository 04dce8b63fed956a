"""A base's tokenizer from its folder, as ``AutoTokenizer`` reads it.

That loads hundreds of modules to find out which class to take; where the files leave no doubt, this does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatrack.core.errors import ModelCorrupt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["read_tokenizer"]

# Where the files name a class of these, transformers takes ``tokenizer.json`` as it stands; for other kinds of models it
# may know better than the files, so those are left to it.
_PLAIN = {"PreTrainedTokenizerFast", "TokenizersBackend"}
_MODELS = {"llama"}


def read_tokenizer(folder: Path, config: Mapping[str, Any]) -> PreTrainedTokenizerBase:
    """The tokenizer, read from the folder only. ``config`` is the model's.

    Raises:
        ModelCorrupt: its files cannot be read.
    """
    try:
        found: PreTrainedTokenizerBase = _reader(folder, config).from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelCorrupt("the tokenizer cannot be read", given=f"{folder}: {error}", fix="download it again") from error
    return found


def _reader(folder: Path, config: Mapping[str, Any]) -> Any:
    path = folder / "tokenizer_config.json"
    declared = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    plain = declared.get("tokenizer_class") in _PLAIN and "auto_map" not in declared and config.get("model_type") in _MODELS
    if plain and (folder / "tokenizer.json").is_file():
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast
    from transformers import AutoTokenizer

    return AutoTokenizer
