"""What every table model and its stored form promise; a new one is tested here by being in the table."""

from __future__ import annotations

import numpy as np
import pytest

from hatrack.core.errors import AdapterBroken, ConfigError
from hatrack.tabular.fitting.models.base import TABLE_MODELS, Sample
from hatrack.tabular.scorers.base import SCORERS

SMALL = {
    "forest": {"n_estimators": 20},
    "histogram": {"max_iter": 20},
    "xgboost": {"rounds": 20},
    "blend": {"forest": {"n_estimators": 10}},
}
KINDS = {"binary": 2, "many": 3, "value": 0}

every_model = pytest.mark.parametrize("name", TABLE_MODELS.names())
every_kind = pytest.mark.parametrize("kind", KINDS)


def sample(classes: int, rows: int = 200, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, 5))
    value = 2 * matrix[:, 0] - matrix[:, 1] + 0.3 * rng.normal(size=rows)
    target = value if not classes else np.digitize(value, np.quantile(value, np.linspace(0, 1, classes + 1)[1:-1])).astype(float)
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    return Sample(matrix, target, np.ones(rows), classes, np.zeros(5, np.int64), seed)


def fitted(name: str, classes: int):
    scorer, _ = TABLE_MODELS.get(name)().fit(sample(classes), SMALL.get(name, {}))
    return scorer


@every_model
@every_kind
def test_it_learns_and_comes_back_from_disk_the_same(name, kind, tmp_path):
    classes = KINDS[kind]
    data, scorer = sample(classes, seed=1), fitted(name, classes)
    margins = scorer.margins(data.matrix)
    assert margins.shape == (200, classes if classes > 2 else 1)
    assert np.isfinite(margins).all()
    if classes > 2:
        assert (margins.argmax(axis=1) == data.target).mean() > 0.6
    else:
        assert np.corrcoef(margins[:, 0], data.target)[0, 1] > 0.6
    scorer.save(tmp_path, "scorer")
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".safetensors", ".ubj")]
    again = SCORERS.get(scorer.kind).load(tmp_path, "scorer")
    assert again.link == scorer.link
    assert np.array_equal(again.margins(data.matrix), margins)


@every_model
@every_kind
def test_shap_values_and_their_start_add_up_to_the_margin(name, kind):
    scorer, matrix = fitted(name, KINDS[kind]), sample(KINDS[kind], seed=2).matrix[:25]
    values, start = scorer.contributions(matrix)
    assert values.shape == (25, len(start), 5)
    assert np.abs(values.sum(axis=2) + start - scorer.margins(matrix)).max() < 1e-5


@every_model
def test_the_same_seed_gives_the_same_model(name):
    matrix = sample(2, seed=3).matrix
    assert np.array_equal(fitted(name, 2).margins(matrix), fitted(name, 2).margins(matrix))


@every_model
def test_one_row_alone_gets_what_it_gets_among_others(name):
    scorer, matrix = fitted(name, 2), sample(2, seed=4).matrix[:20]
    alone = np.vstack([scorer.margins(row[None]) for row in matrix])
    assert np.allclose(alone, scorer.margins(matrix), atol=1e-12)


@every_model
def test_an_option_that_the_library_does_not_know_is_refused(name):
    with pytest.raises(ConfigError):
        TABLE_MODELS.get(name)().fit(sample(2), {"no_such_option": 1})


@every_model
def test_every_setting_of_its_grid_is_taken(name):
    model, data = TABLE_MODELS.get(name)(), sample(2, rows=60)
    for options in model.grid(data)[:3]:
        scorer, _ = model.fit(data, {**options, **SMALL.get(name, {})})
        assert np.isfinite(scorer.margins(data.matrix)).all()


@every_model
def test_a_monotone_score_never_falls(name):
    model = TABLE_MODELS.get(name)()
    if not model.keeps_monotone:
        return
    data = sample(2)
    held = Sample(data.matrix, data.target, data.weight, 2, np.array([0, 1, 0, 0, 0]), 0)  # against the truth, which falls
    scorer, _ = model.fit(held, SMALL[name])
    grid = np.tile(data.matrix[:1], (40, 1))
    grid[:, 1] = np.linspace(-3, 3, 40)
    assert (np.diff(scorer.margins(grid)[:, 0]) >= -1e-6).all()


@pytest.mark.parametrize("name", SCORERS.names())
def test_a_damaged_file_is_refused(name, tmp_path):
    model = {"linear": "linear", "trees": "forest", "xgboost": "xgboost", "blend": "blend"}[name]
    scorer = fitted(model, 2)
    assert scorer.kind == name
    scorer.save(tmp_path, "scorer")
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(AdapterBroken):
        SCORERS.get(name).load(tmp_path, "scorer")


@pytest.mark.parametrize("name", SCORERS.names())
def test_a_missing_file_is_refused(name, tmp_path):
    with pytest.raises(AdapterBroken):
        SCORERS.get(name).load(tmp_path, "scorer")
