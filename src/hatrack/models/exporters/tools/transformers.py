"""Plain transformers and PEFT: nothing of Hatrack stands between the files and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hatrack.core.errors import AdapterBroken
from hatrack.models.encoder import CosineHead, embed

__all__ = ["PlainCausal", "PlainEncoder", "plain_model"]


def plain_model(folder: Path, auto: str, adapter: Path | None = None) -> tuple[Any, str]:
    """A model as ``AutoModel...from_pretrained`` gives it, PEFT around it where there is an adapter; and the tool's name.

    Raises:
        AdapterBroken: the tool does not take the files.
    """
    import peft
    import transformers

    try:
        model: Any = getattr(transformers, auto).from_pretrained(
            str(folder), dtype=torch.float32, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
        if adapter is None:
            return model.eval(), f"transformers {transformers.__version__}"
        wrapped = peft.PeftModel.from_pretrained(model, str(adapter))
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise AdapterBroken(
            "what was written cannot be opened by the tool it is for",
            given=str(error).splitlines()[0],
            fix="report this with the method's name",
        ) from error
    return wrapped.eval(), f"peft {peft.__version__}, transformers {transformers.__version__}"


class PlainCausal:
    """A model that generates, one prompt after the other, by its own ``generate``."""

    def __init__(self, model: Any, tool: str) -> None:
        self._model, self.tool = model, tool

    def logits(self, inputs: Sequence[Sequence[int]]) -> torch.Tensor:
        with torch.inference_mode():
            return torch.stack([self._model(input_ids=torch.tensor([list(ids)])).logits[0, -1] for ids in inputs]).float()

    def generate(self, prompts: Sequence[Sequence[int]], stop_ids: frozenset[int], most: int) -> list[tuple[int, ...]]:
        stops = sorted(stop_ids)
        answers = []
        for prompt in prompts:
            ids = torch.tensor([list(prompt)])
            with torch.inference_mode():
                out = self._model.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=False,
                    temperature=None,
                    top_p=None,
                    top_k=None,
                    max_new_tokens=most,
                    eos_token_id=stops,
                    pad_token_id=stops[0],
                )
            said = out[0, len(prompt) :].tolist()
            answers.append(tuple(said[:-1] if said and said[-1] in stop_ids else said))
        return answers

    def close(self) -> None:
        del self._model


class PlainEncoder:
    """An encoder; with a head its class logits, without one its embeddings."""

    def __init__(self, model: Any, tool: str, head: CosineHead | None) -> None:
        self._model, self.tool, self._head = model, tool, head

    def logits(self, inputs: Sequence[Sequence[int]]) -> torch.Tensor:
        rows = []
        with torch.inference_mode():
            for ids in inputs:
                row = torch.tensor([list(ids)])
                vector = embed(self._model, row, torch.ones_like(row))[0]
                rows.append(vector if self._head is None else self._head(vector))
        return torch.stack(rows).float()

    def close(self) -> None:
        del self._model
