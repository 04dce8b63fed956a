"""Labels that are probably wrong: a model that has not seen a row is sure of another label (confident learning)."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hatrack.data.progress import Progress, silent
from hatrack.data.quality.record import Basis, Place, Record
from hatrack.data.quality.vectors import Vectors, vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Confusion", "LabelError", "LabelErrors", "Suspect", "find_label_errors", "suspects"]

FOLDS = 5
_LABELS = 300  # the largest; a model over more takes minutes and tells little
_WORDS = 10_000  # and pairs of words; more cost time and find no more
_WORDS_TIMES_LABELS = 2_000_000  # weights of the model: memory and time grow with them
_SHOWN = 50
_CONFUSIONS = 60
# Inverse regularisation: a good balance of precision and recall on banking77 with planted errors, of 1, 3, 10, 30, 100.
_C = {"dense": 10.0, "sparse": 30.0}


class LabelError(Record):
    """A row whose label is doubtful."""

    place: Place
    given: str
    suggested: str
    margin: float = Field(description="Probability of the suggested label minus that of the given one.")
    text: str = Field(description="The beginning of the text.")


class Confusion(Record):
    """How many rows with one label look like another."""

    given: str
    suggested: str
    rows: int


class LabelErrors(Record):
    """Doubtful labels of all splits, the most certain first."""

    basis: Basis
    source: str = Field(description="What the model saw: the encoder's name, or 'words' for TF-IDF.")
    agreement: float = Field(description="Rows whose label the model names without having seen them. Where this is low, doubt the list.")
    flagged: int
    share: float
    errors: tuple[LabelError, ...] = Field(description=f"The first {_SHOWN}.")
    confusions: tuple[Confusion, ...] = Field(description="Flagged rows by pair of labels, most frequent first.")


class Suspect(Record):
    """One flagged row, by its position among the rows given."""

    position: int
    given: str
    suggested: str
    margin: float


def find_label_errors(
    texts: Sequence[str],
    labels: Sequence[str],
    embedded: Vectors | None,
    place: Callable[[int], Place],
    quote: Callable[[str], str],
    *,
    of: int,
    seed: int,
    progress: Progress = silent,
) -> LabelErrors | None:
    """Doubtful rows among ``texts``; None where there are not two labels with a row for each fold.

    ``embedded`` is used where it covers all texts; else the words are. ``place`` gives a row's place by position.
    """
    frequent = sorted(((count, label) for label, count in Counter(labels).items() if count >= FOLDS), reverse=True)[:_LABELS]
    known = {label for _, label in frequent}
    kept = [i for i, label in enumerate(labels) if label in known]
    if len(known) < 2:
        return None
    if embedded is not None and len(embedded) == len(texts):
        given = Vectors(embedded.rows[kept], embedded.source)
    else:
        given = vectors([texts[i] for i in kept], min(_WORDS, _WORDS_TIMES_LABELS // len(known)))
    found, agreement = suspects(given, [labels[i] for i in kept], seed, progress)
    errors = tuple(
        LabelError(
            place=place(kept[one.position]),
            given=one.given,
            suggested=one.suggested,
            margin=round(one.margin, 4),
            text=quote(texts[kept[one.position]]),
        )
        for one in found[:_SHOWN]
    )
    pairs = Counter((one.given, one.suggested) for one in found)
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:_CONFUSIONS]
    return LabelErrors(
        basis=Basis(rows=len(kept), of=of),
        source=given.source,
        agreement=agreement,
        flagged=len(found),
        share=len(found) / len(kept),
        errors=errors,
        confusions=tuple(Confusion(given=a, suggested=b, rows=count) for (a, b), count in ordered),
    )


def suspects(given: Vectors, labels: Sequence[str], seed: int, progress: Progress = silent) -> tuple[list[Suspect], float]:
    """Rows outside the diagonal of the confident joint, largest margin first, and the model's agreement with all labels.

    Northcutt, Jiang & Chuang 2021 (Confident Learning, section 3.1): with out-of-sample probabilities ``p``, the
    threshold of class j is the mean of ``p_j`` over the rows labelled j. A row counts as j when ``p_j`` reaches that
    threshold, for the largest such ``p_j``. Rows that count as another class than their label are flagged, unless the
    label is the more probable of the two.
    """
    import numpy as np

    names = sorted(set(labels))
    number = {name: i for i, name in enumerate(names)}
    classes = np.array([number[label] for label in labels])
    p = _out_of_sample(given.rows, classes, len(names), seed, progress)
    rows = np.arange(len(classes))
    own = p[rows, classes]
    threshold = np.array([own[classes == j].mean() for j in range(len(names))])
    confident = np.where(p >= threshold, p, -1.0)
    looks_like = confident.argmax(axis=1)
    flagged = rows[(confident.max(axis=1) >= 0) & (looks_like != classes)]
    found = []
    for i in flagged.tolist():
        margin = float(p[i, looks_like[i]] - own[i])
        if margin > 0:
            found.append(Suspect(position=i, given=labels[i], suggested=names[looks_like[i]], margin=margin))
    agreement = float((p.argmax(axis=1) == classes).mean())
    return sorted(found, key=lambda one: (-one.margin, one.position)), agreement


def _out_of_sample(rows: Any, classes: NDArray[np.int64], count: int, seed: int, progress: Progress) -> NDArray[np.float64]:
    """Probabilities ``[n, classes]``, each row's from a model fitted without its fold; folds hold every class."""
    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no types

    shuffled = np.random.default_rng(seed).permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    fold = np.empty(len(classes), dtype=np.int64)
    fold[by_class] = np.arange(len(classes)) % FOLDS
    p = np.zeros((len(classes), count))
    c = _C["sparse" if hasattr(rows, "toarray") else "dense"]
    # one thread: its sums are the same on every machine, and small products are slower on several
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the order of probabilities is settled long before
        for k in range(FOLDS):
            progress("looking for label errors", k, FOLDS)
            learn, ask = fold != k, fold == k
            model = LogisticRegression(C=c, max_iter=100 if c == _C["dense"] else 50).fit(rows[learn], classes[learn])
            p[np.ix_(ask, model.classes_)] = model.predict_proba(rows[ask])
    return p
