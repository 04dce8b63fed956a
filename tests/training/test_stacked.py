"""One adapter on top of another: what it learned beyond its parent, and what it kept of that one, on both their rows."""

from __future__ import annotations

import io
import shutil

import pytest
import yaml
from rich.console import Console
from safetensors.torch import load_file

from conftest import label_rows, write_jsonl
from hatrack.models.host import ModelHost
from hatrack.models.likelihood import log_likelihoods
from hatrack.registry.promote import promote
from hatrack.workflows.adapt import Workbench, adapt
from projects import speaking_base, write_project
from tiny_training import silent

LEARN = {"epochs": 6, "batch_size": 8, "max_length": 64, "learning_rate": 0.01, "patience": 9}
FAINT = {**LEARN, "epochs": 1, "learning_rate": 1e-7}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_causal):
    """``aligned`` learned preferences and ``speech`` one answer to everything; ``colours`` is to be trained on from ``aligned``."""
    root = tmp_path_factory.mktemp("stacked") / "project"
    rows = label_rows(150)
    pairs = [
        {"id": r["id"], "prompt": r["text"], "chosen": "one two three", "rejected": f"it is {r['label']}"} for r in label_rows(60, seed=1)
    ]
    write_jsonl(root / "pairs.jsonl", pairs)
    write_jsonl(root / "asked.jsonl", [{"id": r["id"], "prompt": r["text"], "response": "one two three"} for r in label_rows(60, seed=2)])
    write_jsonl(root / "colours.jsonl", rows)
    one = {"r": 8, "alpha": 16, "split": [0.6, 0.1, 0.3], "train": LEARN}
    adapters = {
        "aligned": {"data": "pairs.jsonl", "task": "prefer", **one},
        "speech": {"data": "asked.jsonl", "task": "instruct", **one},
        "colours": {"data": "colours.jsonl", "task": "classify-by-text", "parent": "aligned@1.0.0", **one},
    }
    write_project(root, speaking_base(tiny_causal), adapters)
    bench = Workbench.open(root, silent())
    for name in ("aligned", "speech"):
        bench.train(name, bench.prepare(name))
    return root


@pytest.fixture
def project(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "project")


def changed(root, without="", gate=None, **keys):
    """The project with other keys of ``colours``, and what its console says."""
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["adapters"]["colours"].update(keys)
    config["adapters"].pop(without, None)
    (root / "hatrack.yaml").write_text(yaml.safe_dump({**config, **({"gate": gate} if gate else {})}, sort_keys=False))
    said = io.StringIO()
    return Workbench.open(root, Console(file=said, width=200)), said


def preferred(bench, manifest):
    """Share of the test pairs of ``aligned`` whose better answer is likelier for each token, by hand."""
    host = ModelHost(bench.files)
    host.attach("it", bench.registry.folder(manifest))
    pairs = [host.renderer.pair(row.messages, row.rejected, 64) for row in bench.prepare("aligned").splits.test]
    with host.using("it"):
        each = [log_likelihoods(host.module, pair) for pair in pairs]
    means = [(one[:, 0] / one[:, 1]).tolist() for one in each]
    return sum(better > worse for better, worse in means) / len(means)


def test_a_domain_on_top_of_an_alignment_is_measured_on_the_rows_of_both(project):
    bench, said = changed(project)
    manifest, report, passed = adapt(bench, "colours")
    aligned = bench.registry.resolve("aligned")
    assert manifest.parents == (aligned.digest,)
    # its own rows: it names the colours, as neither the base nor the alignment does
    assert (report.task, report.metric) == ("classify-by-text", "accuracy")
    assert {"base-parent", "base-prompted", "adapter"} <= {system.name for system in report.systems}
    assert passed, report.reasons
    assert report.comparison("accuracy", "base-parent").significant_gain
    # the parent's rows: preferences, asked as the parent is
    [kept] = report.kept
    assert (kept.parent, kept.parent_digest) == ("aligned@1.0.0", aligned.digest)
    assert (kept.task, kept.comparison.metric, kept.comparison.base) == ("prefer", "preference_accuracy", "aligned@1.0.0")
    assert kept.test_digest == bench.prepare("aligned").record.test_digest
    assert kept.rows == len(bench.prepare("aligned").splits.test)
    own = bench.evaluate(aligned, bench.prepare("aligned"))
    assert kept.parent_score.value == own.system("adapter").scores["preference_accuracy"].value == preferred(bench, aligned)
    assert kept.score.value == preferred(bench, manifest)
    assert kept.comparison.difference == pytest.approx(kept.score.value - kept.parent_score.value)
    assert kept.comparison.interval.low <= kept.comparison.difference <= kept.comparison.interval.high
    assert ("FORGOTTEN" in said.getvalue()) is kept.forgotten
    # the record that promotion reads is the one of its own rows, and holds both
    assert bench.registry.report(manifest) == report
    assert bench.registry.aliases("colours") == {"champion": manifest.version}


def test_training_starts_at_the_alignment_and_who_hardly_learns_keeps_all_of_it(project):
    bench, said = changed(project, train=FAINT)
    manifest, report, passed = adapt(bench, "colours")
    weights = [load_file(bench.registry.folder(one) / "adapter_model.safetensors") for one in (bench.registry.resolve("aligned"), manifest)]
    assert all((weights[0][key] - weights[1][key]).abs().max() < 1e-5 for key in weights[0])
    [kept] = report.kept
    assert kept.score == kept.parent_score
    assert (kept.comparison.difference, kept.comparison.interval.low, kept.comparison.interval.high) == (0, 0, 0)
    assert not kept.forgotten
    assert "FORGOTTEN" not in said.getvalue()
    assert not passed


def test_what_was_forgotten_is_said_loudly_and_forbids_nothing(project):
    # the same questions, and another answer than the one that the parent learned
    bench, said = changed(project, parent="speech@1.0.0")
    manifest, report, passed = adapt(bench, "colours")
    [kept] = report.kept
    assert (kept.task, kept.comparison.metric) == ("instruct", "token_f1")
    assert kept.parent_score.value > 0.9
    assert kept.score.value < 0.3
    assert kept.forgotten
    assert kept.comparison.interval.high < 0
    [line] = [line for line in said.getvalue().splitlines() if "FORGOTTEN" in line]
    assert f"colours@1.0.0 is significantly worse at what its parent does: token_f1 {kept.score.value:.3f}" in line
    assert f"which has {kept.parent_score.value:.3f}: {kept.comparison.difference:+.3f}, 95% interval" in line
    assert passed, report.reasons
    promote(bench.registry, f"colours@{manifest.version}", rules=bench.config.gate)
    bench.evaluate(manifest, bench.prepare("colours"))  # not measured again, and said again
    assert said.getvalue().count("FORGOTTEN") == 2


def test_the_command_shows_both_on_the_rows_of_the_parent(project, hatrack):
    changed(project, parent="speech@1.0.0")
    ran = hatrack("adapt", "colours", project=project)
    assert ran.code == 0, ran.err
    _, _, table = ran.out.partition("on the test rows of its parent")
    [row] = [line for line in table.splitlines() if "speech@1.0.0" in line]
    assert "token F1" in row
    assert "forgotten" in row
    assert "FORGOTTEN" in ran.err


@pytest.mark.parametrize(
    ("without", "gone", "line"),
    [
        ("aligned", "", "aligned is not in hatrack.yaml; not measured on its rows"),
        ("", "pairs.jsonl", "; not measured on its rows"),
    ],
)
def test_rows_of_the_parent_that_cannot_be_had_are_said_in_one_line(project, without, gone, line):
    if gone:
        (project / gone).unlink()
    bench, said = changed(project, without, train=FAINT)
    _, report, _ = adapt(bench, "colours")
    assert report.kept == ()
    assert report.system("base-parent")
    [found] = [one for one in said.getvalue().splitlines() if "not measured" in one]
    assert "aligned" in found
    assert found.endswith(line)


def test_a_metric_of_the_gate_that_the_parent_cannot_have_gives_way_to_that_of_its_task(project):
    bench, _ = changed(project, train=FAINT, gate={"metric": "macro_f1"})
    _, report, _ = adapt(bench, "colours")
    assert report.metric == "macro_f1"
    assert report.kept[0].comparison.metric == "preference_accuracy"


def test_on_an_earlier_version_of_itself_its_own_rows_are_the_parents(project):
    bench, said = changed(project, train=FAINT)
    first = bench.train("colours", bench.prepare("colours"))
    bench, said = changed(project, train={**FAINT, "seed": 2}, parent=f"colours@{first.version}")
    _, report, _ = adapt(bench, "colours")
    assert report.kept == ()
    assert "base-parent" in {system.name for system in report.systems}
    assert "not measured" not in said.getvalue()


def test_rows_that_the_parent_may_have_learned_are_named_as_such(project):
    write_jsonl(project / "pairs.jsonl", [
        {"id": f"n{number}", "prompt": r["text"], "chosen": "one two three", "rejected": f"it is {r['label']}"}
        for number, r in enumerate(label_rows(50, seed=9))
    ])  # fmt: skip
    bench, said = changed(project, train=FAINT)
    _, report, _ = adapt(bench, "colours")
    assert len(report.kept) == 1
    assert "aligned@1.0.0 was trained beside other test rows than aligned has now" in said.getvalue()
