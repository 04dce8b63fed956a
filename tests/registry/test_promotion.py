"""Who is champion: only with evidence, every move written down, and back again."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time

import pytest

from hatrack.core.errors import AdapterNotFound, PromotionRefused
from hatrack.core.project import Project
from hatrack.registry.promote import promote, rollback
from hatrack.registry.store import Registry
from made_versions import added, report


@pytest.fixture
def registry(tmp_path):
    return Registry(Project(tmp_path))


@pytest.fixture
def three(registry, tmp_path):
    """Three versions that passed, none promoted."""
    versions = [added(registry, tmp_path / weights, weights) for weights in ("a", "b", "c")]
    for manifest in versions:
        registry.add_report(manifest, report(manifest))
    return versions


def champion(registry):
    return registry.aliases("legal").get("champion")


def test_a_version_that_was_never_evaluated_is_refused(registry, tmp_path):
    added(registry, tmp_path / "a")
    with pytest.raises(PromotionRefused, match="never evaluated") as refused:
        promote(registry, "legal")
    assert refused.value.fix == "run `hatrack eval legal@1.0.0`"
    assert champion(registry) is None


def test_a_version_that_did_not_pass_is_refused_with_the_reasons(registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    registry.add_report(manifest, report(manifest, passed=False))
    with pytest.raises(PromotionRefused, match="did not pass") as refused:
        promote(registry, "legal")
    assert refused.value.given == "accuracy: +0.200 against base"
    assert champion(registry) is None


def test_a_report_of_other_weights_is_refused(registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    registry.add_report(manifest, report(manifest, digest="9" * 64))
    with pytest.raises(PromotionRefused, match="other weights"):
        promote(registry, "legal")
    assert champion(registry) is None


def test_the_newest_report_counts(registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    registry.add_report(manifest, report(manifest))
    registry.add_report(manifest, report(manifest, passed=False))
    with pytest.raises(PromotionRefused):
        promote(registry, "legal")


def test_an_override_promotes_and_is_recorded_with_its_reason(registry, tmp_path):
    added(registry, tmp_path / "a")
    promote(registry, "legal@1.0.0", override="  the customer asked  ")
    move = registry.history("legal")[-1]
    assert (move.action, move.version, move.reason) == ("promote with override", "1.0.0", "the customer asked")


def test_an_override_without_a_reason_is_none(registry, tmp_path):
    manifest = added(registry, tmp_path / "a")
    with pytest.raises(PromotionRefused):
        promote(registry, "legal", override="   ")
    registry.add_report(manifest, report(manifest))
    promote(registry, "legal", override="   ")
    assert registry.history("legal")[-1].action == "promote"


def test_without_a_version_the_newest_is_promoted(registry, three):
    assert promote(registry, "legal").version == "1.0.2"
    assert champion(registry) == "1.0.2"


def test_every_move_is_written_down(registry, three):
    promote(registry, "legal@1.0.0")
    promote(registry, "legal@1.0.1")
    rollback(registry, "legal")
    moves = [(m.action, m.previous, m.version) for m in registry.history("legal")]
    assert moves == [("promote", None, "1.0.0"), ("promote", "1.0.0", "1.0.1"), ("rollback", "1.0.1", "1.0.0")]
    assert registry.history("legal")[0].reason == "accuracy: +0.200 against base"


def test_two_rollbacks_go_back_twice_not_to_and_fro(registry, three):
    for version in ("1.0.0", "1.0.1", "1.0.2"):
        promote(registry, f"legal@{version}")
    assert rollback(registry, "legal").version == "1.0.1"
    assert rollback(registry, "legal").version == champion(registry) == "1.0.0"
    with pytest.raises(PromotionRefused, match="no champion to go back to"):
        rollback(registry, "legal")
    assert champion(registry) == "1.0.0"


def test_promoting_the_champion_again_is_no_step_to_go_back_to(registry, three):
    for version in ("1.0.0", "1.0.1", "1.0.1"):
        promote(registry, f"legal@{version}")
    assert rollback(registry, "legal").version == "1.0.0"


def test_a_promotion_after_a_rollback_can_be_taken_back_too(registry, three):
    for version in ("1.0.0", "1.0.1"):
        promote(registry, f"legal@{version}")
    rollback(registry, "legal")
    promote(registry, "legal@1.0.2")
    assert rollback(registry, "legal").version == "1.0.0"


def test_adding_and_evaluating_a_version_does_not_move_the_champion(registry, three, tmp_path):
    promote(registry, "legal@1.0.0")
    manifest = added(registry, tmp_path / "d", "d")
    registry.add_report(manifest, report(manifest))
    assert champion(registry) == "1.0.0"


def test_only_promote_moves_an_alias():
    """``move_alias`` is called in one file of the source."""
    from pathlib import Path

    import hatrack

    source = Path(hatrack.__file__).parent
    callers = {str(path.relative_to(source)) for path in source.rglob("*.py") if ".move_alias(" in path.read_text(encoding="utf-8")}
    assert callers == {"registry/promote.py"}


def test_rollback_of_an_unknown_adapter_names_those_that_are_there(registry, three):
    with pytest.raises(AdapterNotFound, match="no adapter called 'legl'"):
        rollback(registry, "legl")


def test_the_stamp_changes_with_a_promotion_and_with_nothing_else(registry, three):
    before = registry.stamp()
    registry.resolve("legal")
    registry.report(three[0])
    assert registry.stamp() == before
    time.sleep(0.02)  # the clock of a file system ticks every few milliseconds
    promote(registry, "legal@1.0.0")
    assert registry.stamp() != before


PROMOTER = """
import pathlib, sys
from hatrack.core.project import Project
from hatrack.registry.promote import promote
from hatrack.registry.store import Registry
registry = Registry(Project(pathlib.Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(10):
    promote(registry, sys.argv[2])
"""


def test_two_processes_that_promote_at_once_both_succeed_and_no_move_is_lost(registry, three, tmp_path):
    promoters = [
        subprocess.Popen([sys.executable, "-c", PROMOTER, str(tmp_path), f"legal@{version}"], text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for version in ("1.0.0", "1.0.1")
    ]  # fmt: skip
    for promoter in promoters:
        assert promoter.stdout.readline() == "ready\n"
    for promoter in promoters:
        promoter.stdin.write("go\n")
        promoter.stdin.flush()
    for promoter in promoters:
        assert promoter.communicate(timeout=60)[1] == ""
        assert promoter.returncode == 0
    moves = registry.history("legal")
    assert len(moves) == 20
    assert all(before.version == after.previous for before, after in itertools.pairwise(moves))
    assert champion(registry) == moves[-1].version
