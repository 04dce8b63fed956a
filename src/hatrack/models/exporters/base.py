"""Exporters: what was trained here as files of another tool. One file for each format.

An exporter does three things: it says whether an adapter can be had in its format, it writes the files, and it opens them
again with the tool they are for. The third is what makes an export more than a hope: the workflow asks the foreign tool
the questions of the probe and of the test set, and compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from hatrack.core.plugins import Plugins
from hatrack.models.adapters.base import form_name, read_variants
from hatrack.models.adapters.fold import NOT_FOLDED, fold_in
from hatrack.models.adapters.folder import HEAD, AdapterCard, read_card, read_json, read_tensors
from hatrack.models.encoder import CosineHead
from hatrack.models.loading import BaseModelFiles, load_module

if TYPE_CHECKING:
    import torch

__all__ = ["EXPORTERS", "Exporter", "Foreign", "Part", "Source", "Speaker", "formats_for"]


@dataclass(frozen=True)
class Source:
    """What is exported.

    Attributes:
        title: ``NAME@VERSION``, or ``base``.
        folder: the adapter's checked files; None: the base itself.
        base_id: how the exported files name the base: a hub id where one is known.
        precisions: of the parts that are asked for, where a format knows several; empty: the format's own choice.
    """

    title: str
    files: BaseModelFiles
    folder: Path | None
    base_id: str
    precisions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The title as a file may be called."""
        return self.title.replace("@", "-")

    @cached_property
    def card(self) -> AdapterCard | None:
        """How the adapter wants to be used; None for the base."""
        return None if self.folder is None else read_card(self.folder)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The adapter's config; empty for the base."""
        return {} if self.folder is None else read_json(self.folder)

    @property
    def form(self) -> str:
        """The form of the adapter, see ``hatrack.models.adapters.base``; empty for the base."""
        return form_name(str(self.config.get("peft_type", "")))

    @property
    def classifies(self) -> bool:
        """Whether it is an encoder with a head."""
        return self.card is not None and self.card.task == "classify"

    @cached_property
    def module(self) -> Any:
        """The base with the adapter folded in, in float32; computed once for all that ask.

        Raises:
            AdapterMismatch: the form cannot be folded into weights. AdapterBroken: damaged files.
        """
        module = load_module(self.files)
        if self.folder is not None:
            fold_in(module, read_variants(self.folder, module))
        return module

    @cached_property
    def head(self) -> CosineHead:
        """The classifier's head."""
        if self.folder is None or self.card is None:
            raise RuntimeError("a base has no head")  # exporters ask ``classifies`` first
        return CosineHead(read_tensors(self.folder / HEAD)["weight"].float(), self.card.head_scale or 1.0)

    def unfoldable(self) -> str:
        """Why the adapter cannot be folded into the base's weights, as far as its form says; empty if it may."""
        return f"{self.form} stands beside the base's weights and cannot be folded into them" if self.form in NOT_FOLDED else ""


@dataclass(frozen=True)
class Part:
    """One loadable thing of an export; a format of several precisions has one for each.

    Attributes:
        files: relative to the export's folder.
        full: in full precision: it must answer as the adapter does here. Otherwise it is measured, and the card says how much it lost.
    """

    name: str
    files: tuple[str, ...]
    full: bool = True


@runtime_checkable
class Foreign(Protocol):
    """Exported files, opened by the tool they are for."""

    tool: str  # and its version

    def logits(self, inputs: Sequence[Sequence[int]]) -> torch.Tensor:
        """Next-token or class logits, or embeddings ``[inputs, n]``; up to a constant for each row, NaN where the tool says nothing."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


@runtime_checkable
class Speaker(Foreign, Protocol):
    """One that generates."""

    def generate(self, prompts: Sequence[Sequence[int]], stop_ids: frozenset[int], most: int) -> list[tuple[int, ...]]:
        """Greedy answers without their stop tokens, at most ``most`` tokens each."""
        ...


class Exporter(Protocol):
    """One format."""

    name: str
    summary: str
    library: str  # as model hubs call the tool that reads it

    def refusal(self, source: Source) -> str:
        """Why this cannot be had in this format; empty if it can. Weights are not loaded for it."""
        ...

    def write(self, source: Source, folder: Path) -> tuple[Part, ...]:
        """Write the files.

        Raises:
            HatrackError: the adapter turns out not to fit the format, or the disk refuses.
        """
        ...

    def open(self, source: Source, folder: Path, part: Part) -> Foreign:
        """Open one part with its own tool.

        Raises:
            MissingExtra: the tool is not installed. HatrackError: it does not take the files.
        """
        ...

    def usage(self, source: Source, parts: Sequence[Part]) -> str:
        """How to use it there, in Markdown."""
        ...


EXPORTERS: Plugins[type[Exporter]] = Plugins(
    "exporter",
    {
        "folder": "hatrack.models.exporters.folder:SelfContained",
        "gguf": "hatrack.models.exporters.gguf:Gguf",
        "gguf-adapter": "hatrack.models.exporters.gguf_adapter:GgufAdapter",
        "merged": "hatrack.models.exporters.merged:Merged",
        "ollama": "hatrack.models.exporters.ollama:Ollama",
        "onnx": "hatrack.models.exporters.onnx:Onnx",
        "peft": "hatrack.models.exporters.peft:Peft",
        "vllm": "hatrack.models.exporters.vllm:Vllm",
    },
)


def formats_for(source: Source) -> list[str]:
    """The formats that ``source`` can be had in."""
    return [name for name in EXPORTERS.names() if not EXPORTERS.get(name)().refusal(source)]
