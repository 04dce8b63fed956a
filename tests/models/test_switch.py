"""The switch: paths of the bare base, whatever stands in them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.delta import owners
from hatrack.models.adapters.switch import Active, Switch, Variant, find, place, remove, tensor_bytes


class Plus(Variant):
    def __init__(self, value):
        super().__init__()
        self.register_buffer("value", torch.tensor([float(value)]))

    def forward(self, inner, x):
        return inner(x) + self.value


@pytest.fixture
def active():
    return Active()


@pytest.fixture
def root(active):
    torch.manual_seed(0)
    return Switch(nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), nn.Linear(2, 2)), active)


X = torch.ones(1, 2)


def test_nested_variants_of_one_adapter_and_of_several_are_told_apart(root, active):
    base = root(X)
    place(root, {"0": Plus(1), "0.1": Plus(10)}, "a", active)
    place(root, {"0.1": Plus(100), "": Plus(1000)}, "b", active)
    inner, last = root.inner[0].inner, root.inner[1]
    active.name = "a"
    assert torch.allclose(root(X), last(inner[1].inner(inner[0](X)) + 11))
    active.name = "b"
    assert torch.allclose(root(X), last(inner[1].inner(inner[0](X)) + 100) + 1000)
    active.name = "nobody"
    assert torch.equal(root(X), base)


def test_what_is_taken_away_leaves_the_module_as_it_stood(root, active):
    before = list(root.named_modules())
    place(root, {"0": Plus(1), "0.1": Plus(1)}, "a", active)
    place(root, {"0.1": Plus(2)}, "b", active)
    remove(root, ("0", "0.1"), "a")
    assert isinstance(find(root, "0.1"), Switch)
    remove(root, ("0.1",), "b")
    assert list(root.named_modules()) == before


@pytest.mark.parametrize("path", ["2", "0.9", "0.0.weight", "inner", "0.inner", "x.y"])
def test_a_path_the_base_does_not_have_changes_nothing(root, active, path):
    before = list(root.named_modules())
    with pytest.raises(AdapterBroken, match="a layer the base does not have"):
        place(root, {"0": Plus(1), path: Plus(1)}, "a", active)
    assert list(root.named_modules()) == before


def test_attributes_are_those_of_the_module_inside(root, active):
    place(root, {"1": Plus(1)}, "a", active)
    assert root.inner[1].out_features == 2
    with pytest.raises(AttributeError):
        _ = root.inner[1].nothing


def test_tied_parameters_are_found_in_all_places_under_one_name_also_behind_switches(root, active):
    root.inner[1].weight = root.inner[0][0].weight
    place(root, {"0": Plus(1), "1": Plus(1)}, "a", active)
    assert owners(root)["0.0.weight"] == [("0.0", "weight"), ("1", "weight")]
    assert "1.weight" not in owners(root)


def test_memory_counts_what_two_variants_share_once():
    one, two = Plus(1), Plus(2)
    two.value = one.value
    assert tensor_bytes({"a": one, "b": two}) == 4
