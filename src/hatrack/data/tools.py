"""Models that preparing data may ask for: an embedder for paraphrases, a language model that writes rows from documents.

They are opened when a setting asks for one, and loaded when they are first used.
"""

from __future__ import annotations

from functools import cached_property

from hatrack.data.tasks.local_model import LocalModel
from hatrack.models.embedder import TextEmbedder
from hatrack.models.loading import open_base
from hatrack.models.sources.base import Report

__all__ = ["EMBEDDER", "Tools"]

EMBEDDER = "bundled/all-minilm-l6-v2"


class Tools:
    """See the module.

    Args:
        report: is told what takes long: a model that is converted.
    """

    def __init__(self, report: Report = lambda line: None) -> None:
        self._report = report

    @cached_property
    def embedder(self) -> TextEmbedder:
        """Turns texts into vectors.

        Raises:
            ModelError: the embedder is not installed.
        """
        return TextEmbedder(open_base(EMBEDDER, report=self._report))

    def fingerprint(self, spec: str) -> str:
        """Of the base ``spec``, without loading it.

        Raises:
            ModelError: there is no such base.
        """
        return open_base(spec, report=self._report).fingerprint

    def writer(self, spec: str) -> LocalModel:
        """The base ``spec`` as a writer of questions and summaries, loaded.

        Raises:
            ModelError: there is no such base, or it does not write.
        """
        return LocalModel.open(spec, self._report)
