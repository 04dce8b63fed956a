"""Training on a small encoder with a head: for labels, often the better model and always the faster one."""

from __future__ import annotations

from typing import Any, ClassVar

from hatrack.core.config import AdapterConfig
from hatrack.workflows.bakeoff.approaches.adapters import Trained, train, with_method
from hatrack.workflows.bakeoff.base import Problem, Traits

__all__ = ["EncoderFull", "EncoderLastN", "EncoderLora"]

_SMOOTHING = 0.05  # of the labels: a head that starts at the class centroids soon becomes too sure


class _OnAnEncoder:
    """What the methods have in common."""

    name: ClassVar[str]
    method: ClassVar[str]

    def obstacle(self, problem: Problem) -> str:
        if not problem.labels:
            return "answers have no classes"
        if problem.base.kind == "encoder":
            return f"the base is an encoder itself: see {self.method}"
        return "" if problem.encoder.kind == "encoder" else f"compare.embedder is no encoder: {problem.encoder.spec}"

    def identity(self, problem: Problem) -> dict[str, Any]:
        train = self._config(problem).train.model_dump(mode="json")
        return {"encoder": problem.encoder.fingerprint, "method": self.method, "train": train}

    def fit(self, problem: Problem) -> Trained:
        return train(problem, self._config(problem), problem.encoder, self.name)

    def _config(self, problem: Problem) -> AdapterConfig:
        config = with_method(problem.config, self.method)
        rest = config.model_dump(exclude={"task", "trainer", *config.options})
        own = {"learning_rate": None, "label_smoothing": _SMOOTHING}  # rates of a generating base are not an encoder's
        return AdapterConfig.model_validate({**rest, "task": "classify", "system": None, "train": rest["train"] | own})


class EncoderLora(_OnAnEncoder):
    """Low-rank updates."""

    name, method = "encoder-lora", "lora"
    traits = Traits("a LoRA adapter on an encoder with a head", "encoder")


class EncoderLastN(_OnAnEncoder):
    """The last blocks."""

    name, method = "encoder-last-n", "last-n"
    traits = Traits("the last blocks of an encoder with a head", "encoder")


class EncoderFull(_OnAnEncoder):
    """Everything."""

    name, method = "encoder-full", "full"
    traits = Traits("full fine-tuning of an encoder with a head", "encoder", effort=2)
