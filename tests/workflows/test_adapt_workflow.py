"""Data to a proven adapter: every step once, and what was done before is not done again."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from conftest import label_rows, write_jsonl
from hatrack.core.errors import ConfigError
from hatrack.core.project import Project
from hatrack.workflows.adapt import Workbench, adapt
from projects import copy_of, trained_by_text, trained_encoder, write_project


class Screen(Console):
    """A console that remembers."""

    def __init__(self):
        super().__init__(file=io.StringIO(), width=200)

    @property
    def text(self):
        return self.file.getvalue()


@pytest.fixture
def colours(tiny_causal, tmp_path):
    return copy_of(trained_by_text(tiny_causal), tmp_path)


@pytest.fixture
def words(tiny_encoder, tmp_path):
    return copy_of(trained_encoder(tiny_encoder), tmp_path)


def test_adapt_promotes_what_it_proved_and_says_so(colours):
    bench = Workbench.open(colours, Screen())
    manifest, report, passed = adapt(bench, "colours")
    assert passed
    assert report.passed
    assert bench.registry.aliases("colours") == {"champion": manifest.version}
    assert bench.registry.report(manifest) == report
    assert bench.registry.history("colours")[0].reason == report.reasons[0]


def test_adapt_again_trains_evaluates_and_promotes_nothing(colours):
    adapt(Workbench.open(colours, Screen()), "colours")
    screen = Screen()
    bench = Workbench.open(colours, screen)
    _, report, passed = adapt(bench, "colours")
    assert passed
    assert bench.host is None  # nothing was measured, so no base was loaded
    assert "was evaluated on these very rows already" in screen.text
    assert len(bench.registry.history("colours")) == 1
    assert len(bench.registry.versions("colours")) == 1
    assert report == bench.registry.report(bench.registry.resolve("colours"))


def test_an_adapter_no_better_than_its_base_is_kept_reported_and_not_promoted(words):
    bench = Workbench.open(words, Screen())
    manifest, report, passed = adapt(bench, "words")
    assert not passed
    assert bench.registry.report(manifest) == report
    assert bench.registry.aliases("words") == {}


def test_other_test_rows_are_measured_anew(colours):
    bench = Workbench.open(colours, Screen())
    manifest = bench.registry.resolve("shy")
    first = bench.evaluate(manifest, bench.prepare("shy"))
    data = colours / "shy.jsonl"
    data.write_text("".join(data.read_text().splitlines(keepends=True)[:24]))
    other = bench.prepare("shy")
    again = bench.evaluate(manifest, other)
    assert again.test_digest == other.record.test_digest != first.test_digest
    assert bench.registry.report(manifest) == again


def test_two_adapters_are_measured_on_one_base_in_memory(colours):
    bench = Workbench.open(colours, Screen())
    for name in ("colours", "shy"):
        bench.evaluate(bench.registry.resolve(name), bench.prepare(name))
    assert len(bench.host.adapters) == 2


def test_the_manifest_records_what_the_adapter_came_from(colours):
    bench = Workbench.open(colours, Screen())
    manifest = bench.registry.resolve("colours")
    prepared = bench.prepare("colours")
    assert manifest.base_fingerprint == bench.files.fingerprint
    assert manifest.data == prepared.record
    assert manifest.seed == 13
    assert manifest.config["options"]["r"] == 8
    assert manifest.config["labels"] == ["blue", "green", "red"]
    assert manifest.config["train"]["learning_rate"] == 0.01
    assert {"torch", "transformers", "peft", "python"} <= set(manifest.libraries)
    assert manifest.training["rows"] == prepared.record.rows["train"]
    assert set(manifest.files) == {"adapter_model.safetensors", "adapter_config.json", "hatrack.json", "probe.safetensors"}


def test_all_faults_of_the_config_are_reported_before_the_base_is_looked_for(make_project, tmp_path):
    root = make_project(base=tmp_path / "nowhere", rr=3, method="lora", train={"epochs": 0})
    with pytest.raises(ConfigError) as refused:
        Workbench.open(root, Screen())
    assert len(refused.value.faults) == 2


def test_an_adapter_that_the_config_does_not_have_is_refused_with_the_nearest(colours):
    bench = Workbench.open(colours, Screen())
    with pytest.raises(ConfigError) as refused:
        bench.adapter("colors")
    assert refused.value.fix == "did you mean colours?"


@pytest.mark.parametrize("command", ["adapt", "train"])
@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"data": "torn.jsonl", "task": "classify"}, "torn.jsonl"),
        ({"data": "whole.jsonl", "task": "classify-by-text"}, "needs a base that generates text"),
    ],
)
def test_a_fault_of_the_last_adapter_is_found_before_the_first_is_trained(tiny_encoder, tmp_path, hatrack, command, second, said):
    write_jsonl(tmp_path / "whole.jsonl", label_rows(60))
    (tmp_path / "torn.jsonl").write_text('{"text": "no label"}\n' * 20)
    write_project(tmp_path, tiny_encoder, {"first": {"data": "whole.jsonl", "task": "classify"}, "last": second})
    ran = hatrack(command, project=tmp_path)
    assert ran.code == 2
    assert said in ran.err
    assert not Project(tmp_path).runs.exists()
