"""Which rows a step trains on does not depend on how many processes share it (F13)."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.config import AdapterConfig
from hatrack.core.config_train import TrainSettings
from hatrack.core.errors import TrainingError
from hatrack.training.share import Share, check_share


def shares(batch_size, accumulation, size):
    config = TrainSettings(batch_size=batch_size, accumulation=accumulation)
    return [Share.of(config, SimpleNamespace(rank=rank, size=size)) for rank in range(size)]


def steps(share, batches):
    return [batches[i : i + share.passes] for i in range(0, len(batches), share.passes)]


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 60), st.integers(1, 6), st.integers(1, 6), st.integers(1, 4))
def test_all_together_train_the_rows_of_each_step_once(rows, per_process, accumulation, size):
    team = shares(per_process * size, accumulation, size)
    every = [steps(share, share.cut(range(rows))) for share in team]
    assert len({len(own) for own in every}) == 1, "one would wait for a step that the others do not take"
    whole = per_process * size * accumulation
    for number, parts in enumerate(zip(*every, strict=True)):
        assert len({len(own) for own in parts}) == 1, "one would wait for a pass that the others do not make"
        found = sorted(row for own in parts for batch in own for row in batch)
        assert found == list(range(rows))[number * whole : (number + 1) * whole]
    assert len(every[0]) == math.ceil(rows / whole)


@pytest.mark.parametrize(
    ("batch_size", "accumulation", "size", "rows", "passes"),
    [(16, 1, 1, 16, 1), (16, 1, 2, 8, 1), (16, 2, 2, 16, 1), (1, 8, 2, 1, 4), (4, 2, 8, 1, 1), (6, 3, 2, 3, 3)],
)
def test_passes_are_taken_over_before_rows_are_divided(batch_size, accumulation, size, rows, passes):
    assert {(one.rows, one.passes, one.step) for one in shares(batch_size, accumulation, size)} == {
        (rows, passes, batch_size * accumulation)
    }


def test_rows_that_cannot_be_divided_evenly_are_refused_with_the_numbers_that_can():
    with pytest.raises(TrainingError) as refused:
        shares(9, 2, 4)
    assert refused.value.allowed == "1, 2, 3, 6, 9, 18 processes"
    assert "multiple of 2" in refused.value.fix
    for size in (1, 2, 3, 6, 9, 18):
        assert shares(9, 2, size)[0].step == 18


def test_kto_is_refused_where_its_reference_point_would_be_another():
    config = AdapterConfig.model_validate({"data": "x.jsonl", "task": "prefer", "preference": {"loss": "kto"}})
    check_share(config, SimpleNamespace(rank=0, size=1))
    with pytest.raises(TrainingError, match="reference point"):
        check_share(config, SimpleNamespace(rank=0, size=2))
