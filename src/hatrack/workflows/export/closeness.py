"""An exported embedder beside the embeddings in full precision here, text by text: how far off is the worst?"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hatrack.core.errors import DataError
from hatrack.core.exported import Closeness
from hatrack.core.names import BASE
from hatrack.models.exporters.awkward import AWKWARD
from hatrack.models.exporters.base import Foreign
from hatrack.models.host import ModelHost
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.export.probe import TEXTS

__all__ = ["Embedded"]

_LONGEST = 512  # tokens of a text; a base may read many more, and would take long over them


@dataclass(frozen=True)
class Embedded:
    """Texts and their embeddings in full precision here; computed once for all parts.

    Attributes:
        texts: what they are, in words.
        inputs: the tokens of each.
        here: ``[texts, d]``, of length one.
    """

    texts: str
    inputs: list[list[int]]
    here: torch.Tensor

    @classmethod
    def of(cls, bench: Workbench, most: int) -> Embedded:
        """The base's own embeddings of at most ``most`` test rows; of a few fixed texts where there are no rows, or none are wanted."""
        what, texts = _texts(bench, most)
        host = bench.host = bench.host or ModelHost(bench.files)
        inputs = host.tokenize(texts, min(bench.files.positions or _LONGEST, _LONGEST))
        with host.using(BASE):
            return cls(what, inputs, host.embed_ids(inputs))

    def part(self, foreign: Foreign) -> Closeness:
        """Ask one part and compare.

        Raises:
            HatrackError: the foreign tool fails.
        """
        cosines = torch.nn.functional.cosine_similarity(foreign.logits(self.inputs), self.here, dim=1)
        return Closeness(texts=self.texts, count=len(cosines), mean=round(float(cosines.mean()), 6), lowest=round(float(cosines.min()), 6))


def _texts(bench: Workbench, most: int) -> tuple[str, list[str]]:
    """What the texts are, and the texts: test rows of the first adapter that has data, as a base has none of its own."""
    name = next((name for name, one in bench.config.adapters.items() if one.data is not None), None)
    if name is not None and most:
        try:
            rows = bench.prepare(name).splits.test[:most]
        except DataError as error:  # a base can leave without any data, so it can with data that are gone
            bench.console.print(f"{name}: {error.what}; the embedder is compared on fixed texts", style="yellow", markup=False)
        else:
            if rows:
                return f"test rows of {name}", [row.text for row in rows]
    return "fixed texts", [*TEXTS, *AWKWARD]
