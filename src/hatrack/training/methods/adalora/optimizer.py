"""AdamW that also deals out the ranks of AdaLoRA.

The importance of a singular value is smoothed over the steps, so it is state that a resumed run must have (F12). It lives
in the optimizer, whose state every checkpoint holds. The penalty that keeps the singular vectors orthogonal is added to
the gradients here, as weight decay is, so that no objective has to know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from hatrack.training.methods.base import Schedule

__all__ = ["RankAllocatingAdamW"]

_STATE = "rank_allocator"
_ALLOCATIONS = 50  # times that ranks are dealt out anew in one run


class RankAllocatingAdamW(torch.optim.AdamW):
    """AdamW for a PEFT ``AdaLoraModel`` and whatever else is trained beside it.

    Args:
        tuner: the model whose ranks are allocated.
        warm: share of the steps before ranks begin to fall.
        settle: share of the steps, at the end, in which they are fixed.
        orthogonality: weight of the penalty ``mean ‖P Pᵀ − I‖`` over all matrices of singular vectors P.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], tuner: Any, schedule: Schedule, warm: float, settle: float, orthogonality: float
    ) -> None:
        super().__init__(list(parameters), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
        self._tuner, self._allocator, self._done = tuner, tuner.rankallocator, 0
        self._orthogonality = orthogonality
        self._settings = tuner.peft_config[tuner.trainable_adapter_name]
        self._settings.total_step = max(2, schedule.steps)
        self._settings.tinit = min(round(warm * schedule.steps), self._settings.total_step - 2)
        self._settings.tfinal = min(round(settle * schedule.steps), self._settings.total_step - self._settings.tinit - 1)
        self._settings.deltaT = max(1, schedule.steps // _ALLOCATIONS)

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        self._add_penalty()
        loss = super().step(closure)
        self._done += 1
        self._tuner.update_and_allocate(self._done)
        return loss

    def state_dict(self) -> dict[str, Any]:
        kept = {"done": self._done, "pattern": self._settings.rank_pattern}
        return super().state_dict() | {
            _STATE: kept | {"importance": self._allocator.exp_avg_ipt, "uncertainty": self._allocator.exp_avg_unc}
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        kept = state_dict[_STATE]
        super().load_state_dict({key: value for key, value in state_dict.items() if key != _STATE})
        self._done, self._settings.rank_pattern = kept["done"], kept["pattern"]
        self._allocator.exp_avg_ipt, self._allocator.exp_avg_unc = dict(kept["importance"]), dict(kept["uncertainty"])
        self._allocator.ipt = {name: torch.zeros_like(value) for name, value in kept["importance"].items()}

    @torch.no_grad()
    def _add_penalty(self) -> None:
        named = self._tuner.named_parameters()
        vectors = [(".lora_A." in name, p) for name, p in named if p.grad is not None and (".lora_A." in name or ".lora_B." in name)]
        for by_rows, p in vectors:
            rows = p if by_rows else p.T
            error = rows @ rows.T - torch.eye(len(rows), dtype=rows.dtype, device=rows.device)
            slope = 2 * error @ rows / error.norm().clamp(min=1e-12)
            p.grad.add_(slope if by_rows else slope.T, alpha=self._orthogonality / len(vectors))
