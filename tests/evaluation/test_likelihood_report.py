"""Tasks that are measured by likelihood: an adapter for domain text and one for preferences against their base."""

from __future__ import annotations

import math

import pytest
import torch

from hatrack.core.config import GateRules
from hatrack.core.lineage import Comparison, Interval
from hatrack.evaluation.gate import judge
from hatrack.models.host import ModelHost
from hatrack.workflows.adapt import Workbench, adapt
from tiny_training import silent

LEARN = {"epochs": 4, "learning_rate": 0.01, "patience": 9}


@pytest.fixture
def proven(make_project):
    root = make_project("complete", train=LEARN)
    bench = Workbench.open(root, silent())
    manifest, report, passed = adapt(bench, "first")
    return bench, manifest, report, passed


def test_an_adapter_that_learned_domain_text_lowers_perplexity_and_becomes_champion(proven):
    bench, manifest, report, passed = proven
    assert (report.task, report.metric, report.best_base) == ("complete", "perplexity", "base")
    gain = report.comparison("perplexity")
    assert passed
    assert gain.interval.high < 0
    assert not gain.higher_is_better
    assert gain.difference == pytest.approx(
        report.system("adapter").scores["perplexity"].value - report.system("base").scores["perplexity"].value
    )
    assert "its upper end is below 0" in report.reasons[0]
    assert bench.registry.aliases("first") == {"champion": manifest.version}


def test_the_perplexity_of_the_base_is_the_one_computed_by_hand(proven):
    bench, _, report, _ = proven
    host = ModelHost(bench.files)
    loss, tokens = 0.0, 0
    for example in bench.prepare("first").splits.test:
        ids = torch.tensor([host.renderer.text(example.text).ids])
        with torch.no_grad():
            loss += float(host.module(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
        tokens += ids.shape[1] - 1
    assert report.system("base").scores["perplexity"].value == pytest.approx(math.exp(loss / tokens), rel=1e-4)


def test_the_command_shows_perplexity_and_ends_well(make_project, hatrack):
    root = make_project("complete", train=LEARN)
    ran = hatrack("adapt", project=root)
    assert ran.code == 0, ran.err
    assert "perplexity" in ran.out
    assert "better than the base" in ran.out


def lower(low, high):
    return Comparison(
        metric="perplexity", base="base", difference=(low + high) / 2, interval=Interval(low=low, high=high), higher_is_better=False
    )


@pytest.mark.parametrize(("high", "min_gain", "passes"), [(-0.5, 0.0, True), (0.0, 0.0, False), (-0.5, 0.4, True), (-0.5, 0.5, False)])
def test_the_gate_asks_for_a_fall_where_lower_is_better(high, min_gain, passes):
    passed, reasons = judge("perplexity", "base", [lower(-2, high)], GateRules(min_gain=min_gain), {"base"})
    assert passed is passes
    assert ("not below" in reasons[0]) is not passes


def test_a_significant_rise_of_a_figure_that_must_not_be_worse_refuses():
    gain = Comparison(metric="accuracy", base="base", difference=0.1, interval=Interval(low=0.05, high=0.2))
    passed, reasons = judge("accuracy", "base", [gain, lower(1, 3)], GateRules(no_worse=("perplexity",)), {"base"})
    assert not passed
    assert reasons[1].startswith("perplexity: rises by 2.000")
