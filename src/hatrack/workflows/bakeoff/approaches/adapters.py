"""Training on the project's base: the adapter as configured, and other methods on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from hatrack.core.config import AdapterConfig
from hatrack.data.records import Example
from hatrack.evaluation.systems import adapter_answers
from hatrack.models.host import ModelHost
from hatrack.models.loading import BaseModelFiles
from hatrack.training.footprint import bare_layout
from hatrack.training.methods.base import METHODS
from hatrack.training.objectives.base import OBJECTIVES
from hatrack.training.run import train_adapter
from hatrack.workflows.bakeoff.base import Problem, Traits

__all__ = ["BitFitAdapter", "FullTuning", "Ia3Adapter", "LastNAdapter", "LoraAdapter", "Trained", "train", "with_method"]


class Trained:
    """An adapter on its base."""

    tokens = (0, 0)

    def __init__(self, host: ModelHost, key: str, parameters: int, nbytes: int) -> None:
        self._host, self._key, self.parameters, self.nbytes = host, key, parameters, nbytes

    def answer(self, rows: Sequence[Example]) -> list[str]:
        return list(adapter_answers(self._host, self._key, rows))


def with_method(config: AdapterConfig, method: str) -> AdapterConfig:
    """The adapter trained by another method: options that it has too are kept, a learning rate is not.

    The adapter's own method keeps everything.
    """
    if method == config.method:
        return config
    rest = config.model_dump(exclude={"method", "parent", "trainer", *config.options})
    known = METHODS.get(method).options.model_fields
    options = {key: value for key, value in config.options.items() if key in known}
    return AdapterConfig.model_validate({**rest, **options, "method": method, "train": rest["train"] | {"learning_rate": None}})


def train(problem: Problem, config: AdapterConfig, files: BaseModelFiles, name: str) -> Trained:
    """Train on the problem's rows, or find that training finished; the adapter is put on a fresh base, as for use."""
    trained = train_adapter(f"{problem.name}#compare-{name}", config, files, problem.prepared, problem.runs, problem.log)
    host = ModelHost(files)
    host.attach("compared", trained.folder)
    method = METHODS.get(config.method)()
    parameters = method.apply(bare_layout(files), method.options.model_validate(config.options), files.kind)[1].trained
    if config.task == "classify":
        parameters += len(problem.labels) * host.module.config.hidden_size
    return Trained(host, "compared", parameters, sum(path.stat().st_size for path in trained.folder.iterdir()))


class _OnTheBase:
    """What the methods have in common."""

    name: ClassVar[str]

    def obstacle(self, problem: Problem) -> str:
        if OBJECTIVES.get(problem.config.task).kind != problem.base.kind:
            return f"task {problem.config.task} is not for {problem.base.spec}"
        if problem.base.kind not in METHODS.get(self.name).traits.kinds:
            return f"method {self.name} is not for this kind of base"
        return ""

    def identity(self, problem: Problem) -> dict[str, Any]:
        config = with_method(problem.config, self.name)
        apart = {"sweep", "data", "columns", "prepare", "checks", "split", "trainer", "route"}  # the rows say what these did
        return {"base": problem.base.fingerprint, "config": config.model_dump(mode="json", exclude=apart)}

    def fit(self, problem: Problem) -> Trained:
        return train(problem, with_method(problem.config, self.name), problem.base, self.name)


class LoraAdapter(_OnTheBase):
    """Low-rank updates."""

    name = "lora"
    traits = Traits("a LoRA adapter on the base", "adapter")


class Ia3Adapter(_OnTheBase):
    """Scales on activations."""

    name = "ia3"
    traits = Traits("IA3 on the base: one scale for each activation", "adapter")


class BitFitAdapter(_OnTheBase):
    """Biases alone."""

    name = "bitfit"
    traits = Traits("BitFit on the base: only biases", "adapter")


class LastNAdapter(_OnTheBase):
    """The last blocks."""

    name = "last-n"
    traits = Traits("the last blocks of the base, all their weights", "adapter")


class FullTuning(_OnTheBase):
    """Everything."""

    name = "full"
    traits = Traits("full fine-tuning of the base", "adapter", effort=2)
