"""What to try next: at first spread over the space, then where a Gaussian process expects the largest improvement.

The space is a finite list, so expected improvement (Jones et al. 1998, https://doi.org/10.1023/A:1008306431147) is computed
for every entry that is left, and nothing is proposed twice. Samplers that draw from a model of the good entries, like a
tree-structured Parzen estimator, draw here what was tried already, again and again.

A proposal depends on the seed, its number and the scores so far, and on nothing else; so a sweep that was killed goes on
as if it had not been.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hatrack.training.sweep.space import Settings, Space

__all__ = ["propose"]

_NOISE = 0.1  # variance of a score, in variances of all scores: short trainings on few validation rows
_SCALE = 1.0  # distance over which scores resemble each other; a feature goes from 0 to 1

Seen = Sequence[tuple[Settings, float | None]]
Array = npt.NDArray[np.float64]


def propose(space: Space, seen: Seen, trials: int, seed: int) -> Settings | None:
    """The next settings to try in the first rung: the adapter's own first; None when all were.

    Args:
        seen: what was tried so far and its merit, higher is better; None where it failed.
        trials: how many will be tried; the first half of them is drawn evenly, and so are all if nothing but failures was seen.
    """
    if not seen:
        return space.own
    tried = {settings.key for settings, _ in seen}
    left = [settings for settings in space.others if settings.key not in tried]
    random.Random(seed).shuffle(left)
    merits = [merit for _, merit in seen if merit is not None]
    if len(left) < 2 or len(seen) < max(2, trials // 2) or not merits:
        return left[0] if left else None
    worst = min(merits)  # what fails is as bad as the worst, else its neighbours would be proposed
    values = np.array([worst if merit is None else merit for _, merit in seen])
    return left[int(np.argmax(_expected_improvement([settings for settings, _ in seen], values, left)))]


def _expected_improvement(tried: Sequence[Settings], values: Array, left: Sequence[Settings]) -> Array:
    """By how much each of ``left`` is expected to be above the best of ``values``, at least by nothing: ``[left]``."""
    from scipy.stats import norm
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel

    features = _features([*tried, *left])
    # the kernel is given, not fitted: a handful of scores would say nothing of it
    model = GaussianProcessRegressor(RBF(_SCALE) + WhiteKernel(_NOISE), optimizer=None, normalize_y=True)
    model.fit(features[: len(tried)], values)
    mean, deviation = model.predict(features[len(tried) :], return_std=True)
    gain = mean - values.max()
    z = gain / deviation
    expected: Array = gain * norm.cdf(z) + deviation * norm.pdf(z)
    return expected


def _features(points: Sequence[Settings]) -> Array:
    """One row for each of ``points``: numbers on a logarithmic scale from 0 to 1, and a column for each value of a name."""
    columns = [_scaled([math.log(p.rank) if p.rank else None for p in points]), _scaled([math.log(p.times) for p in points])]
    columns.append(_scaled([math.log(p.last_layers) if p.last_layers else None for p in points]))
    for values in ([p.method for p in points], [p.targets for p in points], [p.last_layers is None for p in points]):
        columns += [[float(value == one) for value in values] for one in dict.fromkeys(values)]
    return np.array(columns).T


def _scaled(values: Sequence[float | None]) -> list[float]:
    known = [value for value in values if value is not None]
    low, width = min(known, default=0.0), (max(known, default=0.0) - min(known, default=0.0)) or 1.0
    return [0.5 if value is None else (value - low) / width for value in values]
