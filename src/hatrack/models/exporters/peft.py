"""``peft``: the adapter as PEFT lays it out and model hubs keep it; ``PeftModel.from_pretrained`` reads it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from hatrack.models.adapters.folder import CARD, CONFIG, HEAD, PROBE, WEIGHTS, write_config
from hatrack.models.exporters.base import Foreign, Part, Source
from hatrack.models.exporters.tools.transformers import PlainCausal, PlainEncoder, plain_model

__all__ = ["Peft"]

_OURS = ("bottleneck", "delta")  # forms that PEFT does not know


class Peft:
    """Weights and config, and beside them what `hatrack import` asks for: card and probe."""

    name = "peft"
    summary = "the adapter as PEFT and model hubs keep it"
    library = "peft"

    def refusal(self, source: Source) -> str:
        if source.folder is None:
            return "the base is no adapter"
        return f"PEFT does not know the form {source.form}" if source.form in _OURS else ""

    def write(self, source: Source, folder: Path) -> tuple[Part, ...]:
        files = [WEIGHTS, CONFIG, CARD, PROBE, *([HEAD] if source.classifies else [])]
        for name in files:
            if source.folder is not None and name != CONFIG:
                shutil.copyfile(source.folder / name, folder / name)
        write_config(folder, {**source.config, "base_model_name_or_path": source.base_id})
        return (Part("adapter", tuple(files)),)

    def open(self, source: Source, folder: Path, part: Part) -> Foreign:
        base = source.files
        model, tool = plain_model(base.folder, "AutoModelForCausalLM" if base.kind == "causal" else "AutoModel", folder)
        return PlainCausal(model, tool) if base.kind == "causal" else PlainEncoder(model, tool, source.head if source.classifies else None)

    def usage(self, source: Source, parts: Sequence[Part]) -> str:
        auto = "AutoModelForCausalLM" if source.files.kind == "causal" else "AutoModel"
        lines = [
            "```python",
            "from peft import PeftModel",
            f"from transformers import {auto}, AutoTokenizer",
            "",
            f'tokenizer = AutoTokenizer.from_pretrained("{source.base_id}")',
            f'model = {auto}.from_pretrained("{source.base_id}")',
            'model = PeftModel.from_pretrained(model, "THIS FOLDER").eval()',
            "```",
        ]
        if source.classifies:
            lines += ["", f"`{HEAD}` holds one vector for each label; class logits are its product with the mean of the last hidden",
                      "states over real tokens, scaled to length one, times `head_scale` of `hatrack.json`."]  # fmt: skip
        return "\n".join(lines)
