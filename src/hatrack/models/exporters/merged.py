"""``merged``: base and adapter as one model in full precision; plain transformers reads it, and whatever reads those folders."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from hatrack.models.delta.record import model_files
from hatrack.models.exporters.base import Foreign, Part, Source
from hatrack.models.exporters.tools.transformers import PlainCausal, plain_model
from hatrack.models.render import PLAIN_TEMPLATE

__all__ = ["Merged", "write_merged"]

_TEMPLATE = "chat_template.jinja"


class Merged:
    """A safetensors folder in float32."""

    name = "merged"
    summary = "base and adapter as one model, safetensors in full precision"
    library = "transformers"

    def refusal(self, source: Source) -> str:
        if source.folder is None:
            return "the base is a folder of transformers already"
        if source.files.kind != "causal":
            return "a classifier's head has no place in a plain model"
        return source.unfoldable()

    def write(self, source: Source, folder: Path) -> tuple[Part, ...]:
        write_merged(source, folder)
        return (Part("model", tuple(sorted(path.name for path in folder.iterdir()))),)

    def open(self, source: Source, folder: Path, part: Part) -> Foreign:
        return PlainCausal(*plain_model(folder, "AutoModelForCausalLM"))

    def usage(self, source: Source, parts: Sequence[Part]) -> str:
        return "\n".join(
            [
                "```python",
                "from transformers import AutoModelForCausalLM, AutoTokenizer",
                "",
                'tokenizer = AutoTokenizer.from_pretrained("THIS FOLDER")',
                'model = AutoModelForCausalLM.from_pretrained("THIS FOLDER")',
                "```",
            ]
        )


def write_merged(source: Source, folder: Path) -> None:
    """Write the model with the adapter folded in, and the base's tokenizer.

    A base without a chat template gets the one that the adapter was trained with.
    """
    source.module.save_pretrained(folder)
    for file in model_files(source.files.folder)[1]:
        if not (folder / file.name).exists() and not file.name.endswith(".index.json"):
            shutil.copyfile(file, folder / file.name)
    if source.files.kind == "causal" and not source.files.tokenizer.chat_template:
        (folder / _TEMPLATE).write_text(PLAIN_TEMPLATE, encoding="utf-8")
