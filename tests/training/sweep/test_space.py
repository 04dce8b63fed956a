"""Which settings a sweep tries: only those that mean something, and it is said what was left out."""

from __future__ import annotations

import pytest

from hatrack.core.errors import TrainingError
from hatrack.training.methods.base import METHODS
from hatrack.training.sweep.space import open_space
from tiny_training import open_pieces


def space_of(project):
    pieces = open_pieces(project)
    return open_space(pieces.config, pieces.files)


def having(space, method):
    return [settings for settings in (space.own, *space.others) if settings.method == method]


@pytest.mark.parametrize("name", METHODS.names())
def test_the_options_that_a_methods_rank_is_made_of_are_numbers_it_has(name):
    method = METHODS.get(name)
    for key in method.traits.rank:
        assert isinstance(method.options.model_fields[key].default, int | float), f"{name}: {key}"


def test_a_rank_takes_alpha_with_it(make_project):
    project = make_project(sweep={"methods": ["lora", "rslora", "adalora", "bottleneck"], "ranks": [2, 8], "rates": [1]})
    space = space_of(project)
    assert [(s.rank, s.options["r"], s.options["alpha"]) for s in having(space, "lora")] == [(4, 4, 8), (2, 2, 4), (8, 8, 16)]
    assert [s.options for s in having(space, "rslora")] == [{"r": 2}, {"r": 8}], "alpha / √r stays as it is"
    assert [s.options for s in having(space, "adalora")] == [{"target_r": 2, "init_r": 3, "alpha": 8}, {}], "the default rank is 8"
    assert [s.options for s in having(space, "bottleneck")] == [{"size": 2}, {"size": 8}]
    assert having(space, "lora")[2].parameters == 2 * having(space, "lora")[0].parameters


def test_a_method_is_tried_once_where_it_has_no_place_for_a_list(make_project):
    space = space_of(make_project(sweep={"methods": ["ia3", "prompt"], "ranks": [2, 8], "last_layers": [None, 1], "rates": [1]}))
    assert [s.last_layers for s in having(space, "ia3")] == [None, 1]
    assert len(having(space, "prompt")) == 1
    assert "ia3 has no rank; it is tried without" in space.notes
    assert "prompt has no last_layers; it is tried without" in space.notes


def test_a_learning_rate_is_a_multiple_of_the_methods_own_or_a_figure(make_project):
    sweep = {"methods": ["lora", "ia3"], "ranks": [4], "rates": [0.5, 2], "learning_rates": [0.03]}
    space = space_of(make_project("classify-by-text", sweep=sweep))
    assert [s.learning_rate for s in having(space, "lora")] == [1e-3, 0.5e-3, 2e-3, 0.03]
    assert [s.learning_rate for s in having(space, "ia3")] == [1e-2, 4e-2, 0.03]
    assert having(space, "ia3")[2].times == pytest.approx(1.5)


def test_keys_that_are_not_tried_keep_the_adapters_own_value(make_project):
    keys = {"last_layers": 1, "dropout": 0.1, "sweep": {"methods": ["lora", "pissa", "ia3"], "ranks": None, "rates": [3]}}
    space = space_of(make_project(**keys))
    assert having(space, "lora")[1].options == {"r": 4, "alpha": 8, "last_layers": 1, "dropout": 0.1}
    assert having(space, "pissa")[0].options == {"last_layers": 1, "dropout": 0.1}, "lora's rank says nothing of another method's"
    assert having(space, "ia3")[0].options == {"last_layers": 1}


def test_what_cannot_be_trained_is_left_out_and_said(make_project):
    sweep = {
        "methods": ["lora", "llama-adapter"],
        "ranks": [4, 1000],
        "last_layers": [1, 7],
        "targets": [["query"], ["qurey"]],
        "rates": [3],
    }
    space = space_of(make_project(sweep=sweep))
    assert [(s.rank, s.last_layers, s.targets) for s in space.others] == [(4, 1, ("query",))]
    assert "method llama-adapter makes no sense on an encoder" in space.notes
    notes = "\n".join(space.notes)
    assert "r: Input should be less than or equal to 512 (given: 1000)" in notes
    assert "last_layers is more than the base has (given: 7; allowed: 1 to 2)" in notes
    assert "qurey" in notes
    assert len(set(space.notes)) == len(space.notes)


def test_a_space_in_which_nothing_can_be_trained_is_refused(make_project):
    with pytest.raises(TrainingError, match="none of the settings under sweep can be trained") as refused:
        space_of(make_project(sweep={"methods": ["llama-adapter"]}))
    assert "llama-adapter makes no sense" in refused.value.given


def test_settings_become_a_config_that_trains_a_share_of_the_epochs(make_project):
    project = make_project(train={"epochs": 6, "report_to": ["tensorboard"]}, sweep={"methods": ["ia3"], "rates": [1]})
    pieces = open_pieces(project)
    [settings] = open_space(pieces.config, pieces.files).others
    short, whole = settings.config(pieces.config, 0.5), settings.config(pieces.config, 1.0)
    assert (short.method, short.options, short.train.learning_rate) == ("ia3", {}, 0.0025)
    assert (short.train.epochs, whole.train.epochs) == (3, 6)
    assert (short.train.report_to, whole.train.report_to) == ((), ("tensorboard",))
    assert short.data == pieces.config.data
