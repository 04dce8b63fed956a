"""Whether an adapter acts on a server as it did at training, from what servers tell: log-probabilities of likely tokens.

The stored probe holds logits with and without the adapter (F18). A server's log-probabilities equal logits but for one
constant a row, so rows are centred before they are compared; and what is compared is the adapter's effect, since a
server's base may be held in fewer bits. A token that is likely with the adapter may not be told of the base: its stored
logit stands in, moved by what the others of the row have moved.
"""

from __future__ import annotations

import torch

from hatrack.core.errors import AdapterMismatch
from hatrack.models.adapters.probe import Probe
from hatrack.serving.engines.backend import Backend

__all__ = ["verify_effect"]

_LIKENESS = 0.8  # of the base's log-probabilities now and at training; another base's are not alike
_FEWEST = 3  # tokens of a row that both sides know


def verify_effect(probe: Probe, backend: Backend, place: int) -> None:
    """Ask a server what the probe asked.

    Raises:
        AdapterMismatch: the server's base is not the one the adapter was trained on (F19).
        AdapterBroken: the adapter changes something else than at training, or nothing (F18).
    """
    base_now, base_then, adapted_now, adapted_then, stand_in = ([torch.zeros(0)] for _ in range(5))
    for row, prompt in enumerate(probe.inputs):
        told, wanted = backend.logprobs(prompt, 0), backend.logprobs(prompt, place)
        ids = probe.indices[row].tolist()
        known = [n for n, token in enumerate(ids) if token in told]
        likely = [n for n, token in enumerate(ids) if token in wanted]
        if min(len(known), len(likely)) < _FEWEST:
            continue
        now, then = torch.tensor([told[ids[n]] for n in known]), probe.base[row, known]
        base_now.append(now - now.mean())
        base_then.append(then - then.mean())
        moved = probe.base[row] + (now - then).mean()
        moved[known] = now
        adapted_now.append(torch.tensor([wanted[ids[n]] for n in likely]))
        stand_in.append(moved[likely])
        adapted_then.append(probe.adapted[row, likely] - probe.base[row, likely])
    likeness = float(torch.nn.functional.cosine_similarity(torch.cat(base_now), torch.cat(base_then), dim=0))
    if not likeness >= _LIKENESS:
        raise AdapterMismatch(
            f"the base that {backend.name} holds is not the one this adapter was trained on",
            given=f"log-probabilities with a likeness of {likeness:.2f} to the stored ones",
            allowed=f"at least {_LIKENESS} (cosine)",
            fix=f"let {backend.name} serve the project's base: the same weights, in any precision",
        )
    now_changed = torch.cat([_centred(a - b) for a, b in zip(adapted_now, stand_in, strict=True)])[None]
    then_changed = torch.cat([_centred(change) for change in adapted_then])[None]
    nothing = torch.zeros_like(now_changed)
    Probe((), torch.arange(now_changed.shape[1])[None], then_changed, nothing).check_effect(now_changed, nothing)


def _centred(row: torch.Tensor) -> torch.Tensor:
    return row - row.mean() if len(row) else row
