"""``folder``: an encoder classifier as one folder that needs only transformers and torch: weights, tokenizer, labels, loader."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from hatrack.models.adapters.folder import HEAD
from hatrack.models.delta.record import model_files
from hatrack.models.exporters.base import Foreign, Part, Source
from hatrack.models.exporters.classify_loader import Classifier
from hatrack.models.exporters.merged import write_merged

__all__ = ["LABELS", "SelfContained", "write_tokenizer"]

LABELS = "labels.json"
LOADER = "classify.py"
_WEIGHT_FILES = (".safetensors", ".index.json")


class SelfContained:
    """The encoder with the adapter folded in, its head, and a loader of thirty lines."""

    name = "folder"
    summary = "an encoder classifier as one folder with a 30-line loader; needs transformers and torch"
    library = "transformers"

    def refusal(self, source: Source) -> str:
        if not source.classifies:
            return "only classifiers on an encoder (task classify)"
        return source.unfoldable()

    def write(self, source: Source, folder: Path) -> tuple[Part, ...]:
        write_merged(source, folder)
        save_file({"weight": source.head.weight.detach() * source.head.scale}, folder / HEAD)
        labels = list(source.card.labels) if source.card else []
        length = source.card.max_length if source.card else 512
        (folder / LABELS).write_text(json.dumps({"labels": labels, "max_length": length}, ensure_ascii=False, indent=1), encoding="utf-8")
        shutil.copyfile(Path(__file__).with_name("classify_loader.py"), folder / LOADER)
        return (Part("classifier", tuple(sorted(path.name for path in folder.iterdir()))),)

    def open(self, source: Source, folder: Path, part: Part) -> Foreign:
        return _Loaded(folder)

    def usage(self, source: Source, parts: Sequence[Part]) -> str:
        return (
            f'```sh\npython {LOADER} "some text" "another text"\n```\n\n```python\nfrom classify import Classifier\n\n'
            'Classifier("THIS FOLDER")(["some text"])  # [("label", 0.93)]\n```'
        )


class _Loaded:
    """The folder through the loader that lies in it, of which this is the original."""

    def __init__(self, folder: Path) -> None:
        import transformers

        self._classifier = Classifier(folder)
        self.tool = f"transformers {transformers.__version__}, torch {torch.__version__}"

    def logits(self, inputs: Sequence[Sequence[int]]) -> torch.Tensor:
        rows = [torch.tensor([list(ids)]) for ids in inputs]
        return torch.cat([self._classifier.logits(row, torch.ones_like(row)) for row in rows])

    def close(self) -> None:
        del self._classifier


def write_tokenizer(source: Source, folder: Path) -> tuple[str, ...]:
    """Copy the base's tokenizer, and nothing else of it; return the names."""
    names = []
    for file in model_files(source.files.folder)[1]:
        if file.name.endswith(_WEIGHT_FILES) or file.name in ("config.json", "generation_config.json"):
            continue
        shutil.copyfile(file, folder / file.name)
        names.append(file.name)
    return tuple(names)
