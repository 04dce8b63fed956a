"""Whether an adapter acts on a server as it did at training, from what servers tell: log-probabilities of single tokens.

The stored probe holds logits with and without the adapter (F18). A server's log-probabilities equal logits but for one
constant a row, so rows are centred before they are compared; and what is compared is the adapter's effect, since a
server's base may be held in fewer bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hatrack.core.errors import AdapterMismatch
from hatrack.models.adapters.probe import Probe
from hatrack.serving.engines.backend import Backend

__all__ = ["verify_effect"]

_TOKENS = 24  # compared of each row: half of them the likeliest with the adapter, half spread over those that were kept
_LIKENESS = 0.8  # of the base's log-probabilities there and at training; another base's are not alike
_FEWEST = 4  # of a row that both sides know


def verify_effect(probe: Probe, backend: Backend, place: int) -> None:
    """Ask a server what the probe asked.

    Raises:
        AdapterMismatch: the server's base is not the one the adapter was trained on (F19).
        AdapterBroken: the adapter changes something else than at training, or nothing (F18).
    """
    now: list[torch.Tensor] = []  # [adapted, base] of a row, centred
    then: list[torch.Tensor] = []
    for row, prompt in enumerate(probe.inputs):
        columns = _columns(probe.adapted[row])
        ids = probe.indices[row, columns].tolist()
        adapted, base = (backend.logprobs(prompt, ids, p) for p in (place, 0))
        known = [n for n, token in enumerate(ids) if token in adapted and token in base]
        if len(known) < _FEWEST:
            continue
        told = [[side[ids[n]] for n in known] for side in (adapted, base)]
        kept = [side[row, columns[known]] for side in (probe.adapted, probe.base)]
        now.append(_centred(torch.tensor(told)))
        then.append(_centred(torch.stack(kept)))
    if not now:
        raise _another_base(backend, "next tokens that have nothing in common with the stored ones")
    at_server, at_training = torch.cat(now, dim=1), torch.cat(then, dim=1)
    likeness = float(torch.nn.functional.cosine_similarity(at_server[1], at_training[1], dim=0))
    if not likeness >= _LIKENESS:
        raise _another_base(backend, f"log-probabilities with a likeness of {likeness:.2f} to the stored ones (cosine)")
    everything = torch.arange(at_server.shape[1])[None]
    Probe((), everything, at_training[:1], at_training[1:]).check_effect(at_server[:1], at_server[1:])


def _columns(adapted: torch.Tensor) -> torch.Tensor:
    order = adapted.argsort(descending=True)
    first, rest = order[: _TOKENS // 2], order[_TOKENS // 2 :]
    return torch.cat([first, rest[:: max(1, len(rest) // (_TOKENS // 2))][: _TOKENS // 2]])


def _centred(rows: torch.Tensor) -> torch.Tensor:
    return rows - rows.mean(dim=1, keepdim=True)


def _another_base(backend: Backend, given: str) -> AdapterMismatch:
    return AdapterMismatch(
        f"the base that {backend.name} holds is not the one this adapter was trained on",
        given=given,
        allowed=f"a likeness of at least {_LIKENESS}",
        fix=f"let {backend.name} serve the project's base: the same weights, in any precision",
    )
