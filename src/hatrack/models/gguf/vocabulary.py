"""A tokenizer in GGUF: tokens, their kinds, merges, and the name llama.cpp has for the way it cuts words.

llama.cpp knows pre-tokenisers by name, not by rule. Ours is recognised by its rules; one that is not known is refused,
since another cut gives other tokens, and a model that reads other tokens than it learned gets worse in silence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.core.errors import AdapterMismatch, ModelCorrupt

__all__ = ["Vocabulary", "read_vocabulary"]

# The patterns that Llama 3 and Qwen 2 cut words by, each to llama.cpp's name for it.
_LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_PATTERNS = {_LLAMA3: "llama-bpe", _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"): "qwen2"}


@dataclass(frozen=True)
class Vocabulary:
    """What stands in the head of a GGUF file.

    Attributes:
        cut: llama.cpp's name for the pre-tokeniser.
        kinds: of each token, as ``gguf.TokenType``.
        ends: ids of special tokens by their role: bos, eos, unk, pad.
        begins, closes: whether a text is begun with BOS, and ended with EOS.
    """

    cut: str
    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    merges: tuple[str, ...]
    ends: Mapping[str, int]
    begins: bool
    closes: bool


def read_vocabulary(folder: Path, tokenizer: Any, size: int) -> Vocabulary:
    """The vocabulary of the tokenizer in ``folder``, filled up to the ``size`` rows of the model's embeddings.

    Raises:
        AdapterMismatch: its kind, or its way of cutting words, has no name here. ModelCorrupt: it cannot be read.
    """
    import gguf

    path = folder / "tokenizer.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        model, added = raw["model"], raw["added_tokens"]
        kind = model["type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelCorrupt("the tokenizer cannot be read", given=f"{path}: {error}", allowed="a tokenizer.json") from error
    cut = _cut(raw.get("pre_tokenizer")) if kind == "BPE" and not model.get("byte_fallback") else None
    if cut is None:
        raise AdapterMismatch(
            "this tokenizer cannot be written into a GGUF file by Hatrack",
            given=f"{kind}{' with byte fallback' if model.get('byte_fallback') else ''}, pre-tokenizer {_said(raw.get('pre_tokenizer'))}",
            allowed="byte-level BPE that cuts words as GPT-2, SmolLM, Llama 3 or Qwen 2 do",
            fix="export `merged`, and convert that folder with llama.cpp's own convert_hf_to_gguf.py",
        )
    known = {**model["vocab"], **{token["content"]: token["id"] for token in added}}
    words = {index: word for word, index in known.items()}
    extra = {token["id"]: token["special"] for token in added}
    tokens, kinds = [], []
    for index in range(size):
        tokens.append(words.get(index, f"[PAD{index}]"))
        if index not in words:
            kinds.append(gguf.TokenType.UNUSED)
        elif index in extra:
            kinds.append(gguf.TokenType.CONTROL if extra[index] else gguf.TokenType.USER_DEFINED)
        else:
            kinds.append(gguf.TokenType.NORMAL)
    merges = tuple(pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"])
    ends = {role: getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "unk", "pad")}
    ids = list(tokenizer("a").input_ids)
    return Vocabulary(
        cut,
        tuple(tokens),
        tuple(int(kind) for kind in kinds),
        merges,
        {role: int(index) for role, index in ends.items() if index is not None},
        begins=ends["bos"] is not None and ids[0] == ends["bos"],
        closes=ends["eos"] is not None and ids[-1] == ends["eos"],
    )


def _cut(rule: Any) -> str | None:
    """llama.cpp's name for a pre-tokenizer of ``tokenizer.json``."""
    if not isinstance(rule, dict):
        return None
    steps = rule["pretokenizers"] if rule.get("type") == "Sequence" else [rule]
    if steps[-1].get("type") != "ByteLevel" or steps[-1].get("add_prefix_space"):
        return None
    before, by_pattern = steps[:-1], steps[-1].get("use_regex", True)
    if by_pattern and not before:
        return "gpt-2"
    if by_pattern and len(before) == 1 and before[0] == {"type": "Digits", "individual_digits": True}:
        return "smollm"
    if not by_pattern and len(before) == 1 and before[0].get("type") == "Split" and before[0].get("behavior") == "Isolated":
        return _PATTERNS.get(before[0].get("pattern", {}).get("Regex", ""))
    return None


def _said(rule: Any) -> str:
    if not isinstance(rule, dict):
        return "none"
    return " + ".join(step.get("type", "?") for step in rule.get("pretokenizers", [rule]))
