"""``gguf``: base and adapter as one GGUF model for llama.cpp, in full and in fewer bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hatrack.core.errors import AdapterBroken, HatrackError
from hatrack.models.exporters.awkward import AWKWARD
from hatrack.models.exporters.base import Foreign, Part, Source
from hatrack.models.exporters.tools.llamacpp import LlamaCpp
from hatrack.models.gguf.model import check_writable, write_gguf_model
from hatrack.models.gguf.precision import FULL, check_precision

__all__ = ["DEFAULT", "Gguf", "context_for", "gguf_refusal", "open_gguf", "write_gguf_parts"]

DEFAULT = ("F16", "Q8_0", "Q4_0")


class Gguf:
    """One file for each precision."""

    name = "gguf"
    summary = "base and adapter as one GGUF model: F16, Q8_0, Q4_0 and more"
    library = "gguf"

    def refusal(self, source: Source) -> str:
        return gguf_refusal(source)

    def write(self, source: Source, folder: Path) -> tuple[Part, ...]:
        return write_gguf_parts(source, folder, source.precisions or DEFAULT)

    def open(self, source: Source, folder: Path, part: Part) -> Foreign:
        return open_gguf(source, folder / part.files[0])

    def usage(self, source: Source, parts: Sequence[Part]) -> str:
        return f"```sh\nllama-server --model {parts[0].files[0]}\n```"


def gguf_refusal(source: Source) -> str:
    """Why there is no GGUF model of this; empty if there is."""
    if source.files.kind != "causal":
        return "llama.cpp is for models that generate"
    if source.unfoldable():
        return source.unfoldable()
    try:
        check_writable(source.files)
    except HatrackError as error:
        return f"{error.what}: {error.given}"
    return ""


def write_gguf_parts(source: Source, folder: Path, precisions: Sequence[str]) -> tuple[Part, ...]:
    """One file for each precision.

    Raises:
        ConfigError: a precision that nothing here writes. HatrackError: the model cannot be written so.
    """
    parts = []
    for precision in dict.fromkeys(check_precision(name) for name in precisions):
        target = f"{source.name}-{precision}.gguf"
        write_gguf_model(source.files, source.module, folder / target, precision, source.title)
        parts.append(Part(precision, (target,), full=precision in FULL))
    return tuple(parts)


def context_for(source: Source) -> int:
    """Room for the longest question of the adapter and an answer, in tokens."""
    return (source.card.max_length if source.card else 1024) + 512


def open_gguf(source: Source, path: Path) -> LlamaCpp:
    """The model in llama.cpp, which must cut texts into the very tokens that the model learned.

    Raises:
        MissingExtra: xllamacpp is not installed. AdapterBroken: llama.cpp does not load it, or cuts otherwise.
    """
    model = LlamaCpp(path, int(source.files.config["vocab_size"]), context=context_for(source))
    tokenizer = source.files.tokenizer
    for text in (*AWKWARD, *tokenizer.all_special_tokens):
        ours, theirs = list(tokenizer(text, add_special_tokens=False).input_ids), model.tokenize(text)
        if ours != theirs:
            model.close()
            raise AdapterBroken(
                "llama.cpp cuts texts into other tokens than the model learned",
                given=f"{text!r}: {theirs}",
                allowed=f"{ours}",
                fix="export `merged`, and convert that folder with llama.cpp's own convert_hf_to_gguf.py",
            )
    return model
