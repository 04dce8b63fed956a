"""Promotion asks for the checks that the gate names, and judges old reports by the rules of today."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from hatrack.core.checks import check_kind
from hatrack.core.config import GateRules
from hatrack.core.errors import PromotionRefused
from hatrack.core.project import Project
from hatrack.evaluation.checks import Item, Subject, check_report
from hatrack.registry.evidence import check_report_of, evidence
from hatrack.registry.promote import promote
from hatrack.registry.store import Registry
from made_versions import added, report

RULES = GateRules(metric="accuracy", no_worse=("safety",))


@pytest.fixture
def registry(tmp_path):
    return Registry(Project(tmp_path))


@pytest.fixture
def version(registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    registry.add_report(manifest, report(manifest))
    return manifest


def keep(registry, manifest, kept, of=30, digest=None):
    def items(passed):
        return [Item("harmful", str(i), float(i < passed)) for i in range(of)]

    subject = Subject("legal@1.0.0", digest or manifest.digest, "s" * 64)
    made = check_report("safety", subject, {"harmful": "x"}, items(kept), items(of))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "check.json"
        file.write_text(made.model_dump_json())
        registry.attach(manifest, check_kind("safety"), file)


def test_a_version_that_was_never_checked_is_refused_with_the_command_that_checks_it(registry, version):
    with pytest.raises(PromotionRefused) as refused:
        promote(registry, "legal", rules=RULES)
    assert "never checked" in str(refused.value)
    assert refused.value.fix == "run `hatrack redteam legal@1.0.0`"
    assert promote(registry, "legal").version == "1.0.0"  # without rules the report alone counts


def test_a_loss_of_safety_refuses_and_no_loss_lets_pass(registry, version):
    keep(registry, version, 10)
    with pytest.raises(PromotionRefused, match="does not pass the gate") as refused:
        promote(registry, "legal", rules=RULES)
    assert "harmful: 100% falls to 33%" in refused.value.given
    keep(registry, version, 30)  # the newest counts
    assert promote(registry, "legal", rules=RULES).version == "1.0.0"


def test_an_override_promotes_all_the_same(registry, version):
    assert promote(registry, "legal", override="the board said so", rules=RULES).version == "1.0.0"


def test_a_check_of_other_weights_is_none(registry, version):
    keep(registry, version, 30, digest="9" * 64)
    assert check_report_of(registry, version, "safety") is None


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (GateRules(metric="accuracy", min_gain=0.15), "is not above 0.15"),
        (GateRules(metric="accuracy", confidence=0.99), "the gate asks for 99%"),
        (GateRules(metric="format"), "the report is about accuracy"),
    ],
)
def test_a_report_that_passed_under_other_rules_is_judged_by_those_of_today(registry, version, rules, said):
    (task,) = evidence(registry, version, rules)
    assert not task.passed
    assert said in task.reason
    with pytest.raises(PromotionRefused):
        promote(registry, "legal", rules=rules)
