"""Whole runs: the same adapter as on the plain path, and the same again after an interruption."""

from __future__ import annotations

import shutil

import pytest
from safetensors.torch import load_file

from conftest import label_rows
from hatrack.training.progress import LiveBar
from tiny_training import open_pieces, silent, train, train_and_register

OFF = {"prefix_cache": "off", "packing": "off", "label_only": "off", "fused": "off", "onednn": "off"}
ALONE = [
    {"prefix_cache": "auto"},
    {"packing": "auto"},
    {"packing": "auto", "label_only": "auto"},
    {"fused": "auto"},
    {"onednn": "auto"},
    {"label_only": "auto", "onednn": "auto"},
]
# 6 steps an epoch, a checkpoint after every third
RUN = {"epochs": 2, "batch_size": 8, "evals_per_epoch": 2, "patience": 9, "base_dropout": "off", "max_length": 128}
ROWS = label_rows(60, ("red", "green as the river and the tree", "blue"))
SYSTEM = {"classify-by-text": {"system": "Name the colour."}, "classify": {}}
BOTH = pytest.mark.parametrize("task", ["classify-by-text", "classify"])


def project_of(make_project, task, folder, *, last_layers=1, **train):
    return make_project(task, ROWS, folder=folder, last_layers=last_layers, train={**RUN, **train}, **SYSTEM[task])


class Stopped(BaseException):
    """As a kill."""


@pytest.fixture
def stopped_at(monkeypatch):
    def run(project, step):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == step:
                raise Stopped

        monkeypatch.setattr(LiveBar, "on_step_end", on_step_end)
        with pytest.raises(Stopped):
            train_and_register(project)
        monkeypatch.undo()

    return run


@pytest.fixture(scope="module")
def digests():
    return {}


@pytest.fixture
def undisturbed(make_project, digests):
    """The digest of a task's run that nothing happened to."""

    def of(task):
        if task not in digests:
            digests[task] = train_and_register(project_of(make_project, task, "whole")).digest
        return digests[task]

    return of


@BOTH
@pytest.mark.parametrize(("accumulation", "fast"), [(1, {}), (3, {}), *((1, {**OFF, **alone}) for alone in ALONE)], ids=str)
def test_fast_and_plain_runs_end_with_the_same_adapter(make_project, task, accumulation, fast):
    plain, quick = (
        load_file(train(project_of(make_project, task, folder, accumulation=accumulation, fast=used)).folder / "adapter_model.safetensors")
        for folder, used in (("plain", OFF), ("quick", fast))
    )
    assert plain.keys() == quick.keys()
    for name, tensor in plain.items():
        assert (tensor - quick[name]).norm() <= 2e-4 * tensor.norm(), name
    start = load_file(train(project_of(make_project, task, "start", epochs=0.1, learning_rate=1e-12)).folder / "adapter_model.safetensors")
    assert any((tensor - start[name]).norm() > 0.05 * tensor.norm() for name, tensor in plain.items()), "something was learned"


@pytest.mark.parametrize("loss", ["dpo", "kto"])
def test_states_of_both_answers_of_a_pair_are_kept_and_change_nothing(make_project, loss):
    pairs = [{"prompt": r["text"], "chosen": f"it is {r['label']}", "rejected": "one two three four"} for r in label_rows(40)]
    train_pairs = {"last_layers": 1, "preference": {"loss": loss}}
    found = {}
    for folder, fast in (("plain", OFF), ("quick", {"prefix_cache": "on"})):
        project = make_project("prefer", pairs, folder=folder, train={**RUN, "learning_rate": 0.01, "fast": fast}, **train_pairs)
        found[folder] = load_file(train(project).folder / "adapter_model.safetensors")
    for name, tensor in found["plain"].items():
        assert (tensor - found["quick"][name]).norm() <= 2e-4 * tensor.norm(), name


@BOTH
@pytest.mark.parametrize(("step", "kept"), [(2, True), (8, True), (8, False)])
def test_F12_a_run_that_used_kept_states_goes_on_bit_for_bit(make_project, stopped_at, undisturbed, task, step, kept):
    torn = project_of(make_project, task, "torn")
    stopped_at(torn, step)
    home = torn / ".hatrack" / "cache" / "hidden"
    assert list(home.glob("*/states.npy"))
    if not kept:
        shutil.rmtree(home)
    assert train_and_register(torn).digest == undisturbed(task)


def test_F12_stopped_while_states_are_computed(make_project, monkeypatch, undisturbed):
    torn = project_of(make_project, "classify", "torn")

    def stop(self, done, total):
        raise Stopped

    monkeypatch.setattr(LiveBar, "before", stop)
    with pytest.raises(Stopped):
        train_and_register(torn)
    monkeypatch.undo()
    assert not list((torn / ".hatrack" / "cache" / "hidden").iterdir())
    assert train_and_register(torn).digest == undisturbed("classify")


def test_the_run_says_what_it_uses(make_project):
    console = silent()
    open_pieces(project_of(make_project, "classify-by-text", "it")).train(console)
    lines = console.file.getvalue()
    assert "first: fast: no padding, 2 of 3 blocks computed once (0 MB on disk), last block at labels only, adapters fused" in lines


def test_dropout_of_the_base_is_kept_unless_it_is_turned_off(make_project):
    digests = [
        train_and_register(project_of(make_project, "classify", choice, base_dropout=choice, last_layers=None)).digest
        for choice in ("keep", "off")
    ]
    assert digests[0] != digests[1]


def test_two_adapters_on_the_same_rows_share_the_states(make_project):
    project = project_of(make_project, "classify", "it")
    train(project)
    [states] = (project / ".hatrack" / "cache" / "hidden").iterdir()
    text = (project / "hatrack.yaml").read_text().replace("r: 4", "r: 2")
    (project / "hatrack.yaml").write_text(text)
    written = (states / "states.npy").stat().st_mtime_ns
    train(project)
    assert [path.name for path in states.parent.iterdir()] == [states.name]
    assert (states / "states.npy").stat().st_mtime_ns == written
