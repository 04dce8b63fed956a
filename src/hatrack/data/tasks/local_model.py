"""A base on this machine as the writer of ``qa`` and ``summary``."""

from __future__ import annotations

from collections.abc import Sequence

from hatrack.core.chat import Message
from hatrack.core.errors import ModelError
from hatrack.models.causal import Sampling, generate
from hatrack.models.host import ModelHost
from hatrack.models.loading import open_base
from hatrack.models.sources.base import Report

__all__ = ["LocalModel"]


class LocalModel:
    """Answers greedily: the same documents and the same base give the same rows.

    Raises:
        ModelError: the base is an encoder, which writes nothing.
    """

    def __init__(self, host: ModelHost, max_new_tokens: int = 128) -> None:
        if host.files.kind != "causal":
            raise ModelError(
                "this model does not generate text",
                given=host.files.spec,
                allowed="a causal language model",
                fix="set prepare: {documents: {model: ...}} to one, such as bundled/smollm2-135m-instruct",
            )
        self._host = host
        self._sampling = Sampling(max_new_tokens=max_new_tokens)

    @classmethod
    def open(cls, spec: str, report: Report = lambda line: None) -> LocalModel:
        """Load the base that ``prepare.documents.model`` names.

        Raises:
            ModelError: as ``hatrack.models.loading.open_base`` says, or it is an encoder.
        """
        return cls(ModelHost(open_base(spec, report=report)))

    def __call__(self, conversations: Sequence[tuple[Message, ...]]) -> list[str]:
        """One reply for each conversation."""
        renderer = self._host.renderer
        prompts = [renderer.prompt(conversation).ids for conversation in conversations]
        if not prompts:
            return []
        answers = generate(self._host.module, prompts, renderer.stop_ids, self._sampling)
        return [renderer.decode(answer.ids).strip() for answer in answers]
