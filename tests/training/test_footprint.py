"""What every method would train on a base, from its config alone."""

from __future__ import annotations

import pytest

from conftest import make_causal
from hatrack.models.loading import load_module, open_base
from hatrack.models.quantised import quantise, resident_bytes
from hatrack.training.footprint import footprints
from hatrack.training.methods.base import METHODS


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wide")
    return open_base(str(make_causal(folder / "wide-llama", width=256)), cache=folder)


def test_every_method_is_there_and_full_trains_everything(wide):
    found = {one.method: one for one in footprints(wide)}
    assert set(found) == set(METHODS.names())
    weights = sum(p.numel() for p in load_module(wide).parameters())
    assert found["full"].trained == weights
    assert found["full"].memory == weights * (4 + 16)
    assert found["ln"].trained < found["bitfit"].trained < found["lora"].trained < found["full"].trained


def test_a_4_bit_base_is_counted_as_it_is_held(wide):
    at = next(one for one in footprints(wide) if one.method == "qlora")
    module = load_module(wide)
    quantise(module)
    assert at.memory - 16 * at.trained == pytest.approx(resident_bytes(module), rel=0.1)


def test_a_method_that_is_not_for_this_base_has_no_figures(tiny_encoder, tmp_path):
    found = {one.method: one for one in footprints(open_base(str(tiny_encoder), cache=tmp_path))}
    assert found["llama-adapter"].trained is None
    assert found["llama-adapter"].memory is None
    assert found["lora"].trained


def test_no_weight_is_read(tiny_causal, tmp_path):
    import shutil

    folder = shutil.copytree(tiny_causal, tmp_path / "bare")
    (folder / "model.safetensors").write_bytes(b"")
    assert all(one.trained for one in footprints(open_base(str(folder), cache=tmp_path)))
