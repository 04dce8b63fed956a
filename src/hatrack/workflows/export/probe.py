"""The stored probe, asked of a foreign tool: does the adapter act there as it does here? Needs no data."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.probe import Probe, read_probe
from hatrack.models.causal import last_logits
from hatrack.models.encoder import embed
from hatrack.models.exporters.base import Foreign, Part, Source
from hatrack.models.loading import load_module

__all__ = ["TEXTS", "Likeness", "ask_probe", "check_part", "probe_of"]

TEXTS = ("The contract may be ended by either side.", "What is the price?", "Name three rivers of France.")
_FEWEST = 3  # tokens of a row that both sides know
_LIKENESS = 0.99  # of what the adapter changes; a foreign tool sums in another order, and may keep its cache in 16 bits
_LEFT = 0.7  # below that more than half of what a rounded part changes is something else


@dataclass(frozen=True)
class Likeness:
    """Cosine of what the adapter changes there and here, and the largest difference of centred logits."""

    cosine: float
    error: float


def probe_of(source: Source) -> Probe:
    """The adapter's stored probe; of the base, what it answers to a few texts, compared with answering nothing."""
    if source.folder is not None:
        return read_probe(source.folder)
    tokenizer = source.files.tokenizer
    inputs = tuple(tuple(tokenizer(text).input_ids) for text in TEXTS)
    module = load_module(source.files)
    if source.files.kind == "causal":
        logits = last_logits(module, inputs)
    else:
        with torch.inference_mode():
            rows = [torch.tensor([list(ids)]) for ids in inputs]
            logits = torch.cat([embed(module, row, torch.ones_like(row)) for row in rows])
    kept = logits.topk(min(256, logits.shape[1]), dim=1).indices.sort(dim=1).values
    return Probe(inputs, kept, logits.gather(1, kept), torch.zeros_like(logits).gather(1, kept))


def ask_probe(probe: Probe, foreign: Foreign) -> Likeness:
    """Ask the foreign tool what the probe asks. Logits are compared up to a constant for each row, where the tool tells them.

    Raises:
        AdapterBroken: it tells too few to compare.
    """
    told = foreign.logits(probe.inputs)
    now, then, errors = [], [], []
    for row in range(len(probe.inputs)):
        logits = told[row, probe.indices[row]]
        known = ~torch.isnan(logits)
        if int(known.sum()) < min(_FEWEST, len(logits)):
            continue
        here = _centred(probe.adapted[row, known])
        there, base = _centred(logits[known]), _centred(probe.base[row, known])
        now.append(there - base)
        then.append(here - base)
        errors.append(float((there - here).abs().max()))
    if not now:
        raise AdapterBroken(
            f"{foreign.tool} says too little to compare",
            given="no likely token in common on the probe",
            fix="report this with the base's name",
        )
    cosine = torch.nn.functional.cosine_similarity(torch.cat(now), torch.cat(then), dim=0)
    return Likeness(round(float(cosine), 6), round(max(errors), 6))


def check_part(part: Part, likeness: Likeness, tool: str, *, any_loss: bool = False) -> None:
    """Refuse a part in full precision that does not act as the adapter does, and a rounded one in which little is left of it.

    A base whose weights were rounded in a precision takes small changes back when it is rounded in it again.

    Args:
        any_loss: a rounded part may lose the adapter, as somebody said who will look at what it answers.

    Raises:
        AdapterBroken: it acts otherwise, or not at all (F18, F20).
    """
    if part.full and not likeness.cosine >= _LIKENESS:  # written so that NaN is refused too
        raise AdapterBroken(
            f"what was written does not act in {tool} as the adapter does here",
            given=f"{part.name}: its effect on the stored probe has a likeness of {likeness.cosine:.3f}",
            allowed=f"at least {_LIKENESS} (cosine)",
            fix="nothing was left behind; report this with the names of base and method",
        )
    if not part.full and not any_loss and not likeness.cosine >= _LEFT:
        raise AdapterBroken(
            f"rounded as {part.name}, little is left of what the adapter changes",
            given=f"its effect on the stored probe has a likeness of {likeness.cosine:.3f} in {tool}",
            allowed=f"at least {_LEFT} (cosine)",
            fix="choose another --precision, or a format that leaves the base as it is; --max-drop 1 writes it all the same",
        )


def _centred(row: torch.Tensor) -> torch.Tensor:
    return row - row.mean()
