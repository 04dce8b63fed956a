"""Three published preference losses over log-probabilities of whole answers.

TRL has the same three, inside trainers with loops of their own: the loss is one method with the forward pass, the
metrics and a mean over the micro-batch, which gradient accumulation would then weigh wrongly (F13). So the formulas
stand here, one value for each pair, and the tests hold them to TRL's on the same model and batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn.functional import logsigmoid

__all__ = ["Likelihoods", "dpo_loss", "kto_loss", "orpo_loss"]

_LARGEST = -1e-7  # an answer that is certain: the odds stay finite in float32


@dataclass(frozen=True)
class Likelihoods:
    """Log-probabilities in nats, summed over the answer's tokens: each ``[pairs]``."""

    chosen: torch.Tensor
    rejected: torch.Tensor


def dpo_loss(policy: Likelihoods, reference: Likelihoods, beta: float) -> torch.Tensor:
    """``-log sigmoid(beta (gain of the chosen - gain of the rejected))``, gain over the reference: ``[pairs]``.

    Rafailov et al. 2023, https://arxiv.org/abs/2305.18290, eq. 7.
    """
    margin = (policy.chosen - reference.chosen) - (policy.rejected - reference.rejected)
    return -logsigmoid(beta * margin)


def orpo_loss(policy: Likelihoods, chosen_tokens: torch.Tensor, rejected_tokens: torch.Tensor, beta: float) -> torch.Tensor:
    """The chosen answer's own loss for each token, plus ``beta`` times ``-log sigmoid`` of the log odds ratio: ``[pairs]``.

    Hong et al. 2024, https://arxiv.org/abs/2403.07691, eq. 6 and 7; probabilities are geometric means over tokens. The
    answer's own loss is over the answer alone, as everywhere in Hatrack; TRL's is over the prompt too.
    """
    chosen, rejected = policy.chosen / chosen_tokens, policy.rejected / rejected_tokens
    ratio = (chosen - _log_complement(chosen)) - (rejected - _log_complement(rejected))
    return -chosen - beta * logsigmoid(ratio)


def kto_loss(policy: Likelihoods, reference: Likelihoods, divergence: torch.Tensor, beta: float) -> torch.Tensor:
    """Each answer valued for itself against a common reference point, both parts of a pair equally weighted: ``[pairs]``.

    Ethayarajh et al. 2024, https://arxiv.org/abs/2402.01306, eq. 7 and 8 with both lambdas 1, halved, so that the loss of
    a pair is the mean of its two answers.

    Args:
        divergence: the reference point z0, a scalar: the mean gain over answers that belong to other prompts, not below 0.
    """
    good = 1 - torch.sigmoid(beta * (policy.chosen - reference.chosen - divergence))
    bad = 1 - torch.sigmoid(beta * (divergence - (policy.rejected - reference.rejected)))
    return (good + bad) / 2


def _log_complement(log_p: torch.Tensor) -> torch.Tensor:
    """``log(1 - p)`` from ``log p``, accurate at both ends."""
    log_p = log_p.clamp(max=_LARGEST)
    return torch.where(log_p > -math.log(2), torch.log(-torch.expm1(log_p)), torch.log1p(-torch.exp(log_p)))
