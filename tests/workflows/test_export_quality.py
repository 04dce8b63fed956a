"""F20: a part that acts as the adapter does on the probe and still loses answers on the test rows is not written."""

from __future__ import annotations

import pytest

from exported_projects import causal_project, open_bench
from hatrack.core.errors import EvaluationError
from hatrack.models.exporters.base import EXPORTERS
from hatrack.workflows.export.run import Wish, export

LOST = 4  # answers that the foreign tool gets wrong


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return open_bench(causal_project(tmp_path_factory.getbasetemp() / "exported"))


class Worse:
    """The real tool with the real files: its logits are told as they are, and some of its answers are lost."""

    def __init__(self, inner, wrong):
        self.inner, self.tool, self.wrong = inner, inner.tool, wrong

    def logits(self, inputs):
        return self.inner.logits(inputs)

    def generate(self, prompts, stops, most):
        said = self.inner.generate(prompts, stops, most)
        return [self.wrong if number < LOST else ids for number, ids in enumerate(said)]

    def close(self):
        self.inner.close()


@pytest.fixture
def worse(bench, monkeypatch):
    """``worse(format)`` has that format's tool lose answers from now on; returns what a part loses by it."""
    manifest = bench.registry.resolve("plain")
    report = bench.registry.report(manifest)
    accuracy = report.system("adapter").scores["accuracy"].value
    assert accuracy == 1, "what is lost below would be no loss"

    def spoil(format):
        real = EXPORTERS.get(format).open
        wrong = tuple(bench.files.tokenizer("table").input_ids)
        monkeypatch.setattr(EXPORTERS.get(format), "open", lambda *arguments: Worse(real(*arguments), wrong))
        return LOST / report.rows

    return spoil


@pytest.mark.parametrize("format", ["peft", "merged"])
def test_F20_a_part_that_loses_answers_on_the_test_rows_is_refused_and_leaves_nothing(bench, worse, tmp_path, format):
    drop = worse(format)
    with pytest.raises(EvaluationError) as refused:
        export(bench, "plain", Wish(format, tmp_path / "out"))
    error = refused.value
    assert error.what.startswith("plain@1.0.0 answers worse as ")
    assert error.given == f"accuracy 1.000 falls to {1 - drop:.3f} on 36 test rows"
    assert error.allowed == "a loss of at most 0.01"
    assert "--max-drop" in error.fix
    assert list(tmp_path.iterdir()) == []


def test_F20_an_earlier_export_stays_as_it_was(bench, worse, tmp_path):
    out = tmp_path / "out"
    export(bench, "plain", Wish("peft", out, rows=0))
    before = {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    worse("peft")
    with pytest.raises(EvaluationError, match="answers worse"):
        export(bench, "plain", Wish("peft", out))
    assert {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert list(tmp_path.iterdir()) == [out]


def test_F20_a_loss_that_max_drop_allows_passes_and_a_larger_one_does_not(bench, worse, tmp_path):
    drop = worse("peft")
    [part] = export(bench, "plain", Wish("peft", tmp_path / "allowed", max_drop=drop + 0.001)).parts
    assert part.quality.drop == pytest.approx(drop)
    assert part.quality.same == pytest.approx(1 - drop)
    assert "| accuracy | 1.000 |" in (tmp_path / "allowed" / "README.md").read_text()
    with pytest.raises(EvaluationError, match="answers worse") as refused:
        export(bench, "plain", Wish("peft", tmp_path / "refused", max_drop=drop - 0.001))
    assert refused.value.allowed == f"a loss of at most {drop - 0.001:g}"
    assert [path.name for path in tmp_path.iterdir()] == ["allowed"]


def test_F20_a_rounded_part_is_held_to_max_drop_alone(bench, worse, tmp_path):
    pytest.importorskip("xllamacpp", reason='pip install "hatrack[llamacpp]"')
    drop = worse("gguf")
    [part] = export(bench, "plain", Wish("gguf", tmp_path / "told", ("Q8_0",))).parts
    assert part.quality.drop >= drop - 1e-9  # rounding is measured, and the card says what it cost
    with pytest.raises(EvaluationError, match="answers worse as Q8_0"):
        export(bench, "plain", Wish("gguf", tmp_path / "out", ("Q8_0",), max_drop=drop / 2))
    assert [path.name for path in tmp_path.iterdir()] == ["told"]


def test_F20_the_command_refuses_it_and_takes_the_option(bench, worse, tmp_path, hatrack):
    worse("peft")
    asked = ("export", "plain", "--to", "peft", "--out", str(tmp_path / "out"))
    ran = hatrack(*asked, project=bench.project.root)
    assert ran.code != 0
    assert "plain@1.0.0 answers worse as" in ran.err
    assert list(tmp_path.iterdir()) == []
    ran = hatrack(*asked, "--max-drop", "0.5", project=bench.project.root)
    assert ran.code == 0, ran.err
    assert (tmp_path / "out" / "README.md").is_file()
