"""What every exporter promises; a new one is tested here by being in the table, and says in TAKES what it is for."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from exported_projects import causal_project, encoder_project, open_bench
from hatrack.core.atomic import STAGING
from hatrack.core.digest import sha256_file
from hatrack.core.errors import AdapterBroken, AdapterMismatch, EvaluationError
from hatrack.core.exported import EXPORT, ExportRecord
from hatrack.models.exporters.base import EXPORTERS, Part
from hatrack.workflows.export import run
from hatrack.workflows.export.run import Wish, export

# What each format is tried with, and which of the other versions it must refuse.
TAKES = {
    "peft": ("causal", "plain", ("tuned", "necked", "base")),
    "merged": ("causal", "plain", ("prefixed", "necked", "base")),
    "gguf": ("causal", "plain", ("prefixed", "necked")),
    "gguf-adapter": ("causal", "plain", ("turned", "scaled", "tuned", "prefixed", "necked", "base")),
    "ollama": ("causal", "plain", ("prefixed", "necked")),
    "vllm": ("causal", "plain", ("turned", "scaled", "tuned", "prefixed", "necked", "base")),
    "onnx": ("encoder", "words", ()),
    "folder": ("encoder", "words", ("base",)),
}
NEEDS = {"gguf": "xllamacpp", "gguf-adapter": "xllamacpp", "ollama": "xllamacpp", "onnx": "onnxscript"}

every_exporter = pytest.mark.parametrize("name", EXPORTERS.names())


@pytest.fixture(scope="module")
def benches(tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "exported"  # trained once for all files of tests in this process
    return {"causal": open_bench(causal_project(folder)), "encoder": open_bench(encoder_project(folder))}


@pytest.fixture(scope="module")
def made(benches, tmp_path_factory):
    """The folder of each format, written once."""
    folders = {}

    def make(name):
        if name in NEEDS:
            pytest.importorskip(NEEDS[name], reason=f'pip install "hatrack[{"onnx" if name == "onnx" else "llamacpp"}]"')
        if name not in folders:
            kind, version, _ = TAKES[name]
            folders[name] = tmp_path_factory.mktemp("out") / name
            export(benches[kind], version, Wish(name, folders[name]))
        return folders[name]

    return make


def test_every_exporter_says_what_it_takes():
    assert set(TAKES) == set(EXPORTERS.names())


@every_exporter
def test_what_is_written_acts_in_the_foreign_tool_as_it_does_here(name, made):
    record = ExportRecord.model_validate_json((made(name) / EXPORT).read_text())
    assert record.parts
    for part in record.parts:
        assert part.tool.split()[1]
        assert part.quality.rows > 15
        assert part.likeness > (0.99 if part.full else 0.5)
        if part.full:
            assert part.quality.same == 1.0
            assert part.quality.here == part.quality.there


@every_exporter
def test_the_record_names_every_file_by_its_hash(name, made):
    folder = made(name)
    record = ExportRecord.model_validate_json((folder / EXPORT).read_text())
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {*record.files, EXPORT, "README.md"}
    assert {file: sha256_file(folder / file) for file in record.files} == record.files
    assert all(set(part.files) <= found for part in record.parts)


@every_exporter
def test_the_card_says_where_it_is_from_how_to_use_it_and_what_leaving_cost(name, made):
    card = (made(name) / "README.md").read_text()
    _, head, text = card.split("---\n", 2)
    said = yaml.safe_load(head)
    assert said["base_model"] in ("speaking-llama", "tiny-bert")
    assert said["library_name"]
    assert {"hatrack", "lora"} == set(said["tags"])
    for section in ("## Use", "## Data and training", "## Scores", "## What leaving cost", "## Limits and licence", "## Identity"):
        assert section in text
    assert "```" in text.partition("## Use")[2].partition("## ")[0]
    assert str(made(name)) not in card
    assert "/tmp" not in card


@every_exporter
def test_what_it_does_not_take_is_refused_with_the_formats_that_do(name, benches, tmp_path):
    kind, _, others = TAKES[name]
    for other in others:
        with pytest.raises(AdapterMismatch) as refused:
            export(benches[kind], other, Wish(name, tmp_path / "out"))
        assert name not in refused.value.allowed.split(", ")
        assert refused.value.given
    if name != "peft":  # which takes both
        stranger = ("encoder", "words") if kind == "causal" else ("causal", "plain")
        with pytest.raises(AdapterMismatch):
            export(benches[stranger[0]], stranger[1], Wish(name, tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


@every_exporter
def test_one_that_acts_otherwise_or_answers_worse_there_is_refused_and_leaves_nothing(name, made, benches, tmp_path, monkeypatch):
    made(name)  # or skip
    kind, version, _ = TAKES[name]
    real = EXPORTERS.get(name).open

    class Broken:
        """The tool answers, but not as the adapter does."""

        def __init__(self, inner):
            self.inner, self.tool = inner, inner.tool
            if hasattr(inner, "generate"):
                self.generate = lambda prompts, stops, most: [(5,) for _ in prompts]

        def logits(self, inputs):
            told = self.inner.logits(inputs)
            return told.roll(1, dims=1) if self.spoiled or not hasattr(self, "generate") else told

        def close(self):
            self.inner.close()

    def opened(*arguments):
        return Broken(real(*arguments))

    monkeypatch.setattr(EXPORTERS.get(name), "open", opened)
    if name == "onnx":  # whose writing takes seconds
        known = ExportRecord.model_validate_json((made(name) / EXPORT).read_text())

        def copied(self, source, folder):
            for file in known.files:
                shutil.copyfile(made(name) / file, folder / file)
            return tuple(Part(part.name, part.files, part.full) for part in known.parts)

        monkeypatch.setattr(EXPORTERS.get(name), "write", copied)
    Broken.spoiled = True
    wish = Wish(name, tmp_path / "out", ("F16",) if name in ("gguf", "ollama") else ("FP32",) if name == "onnx" else ())
    with pytest.raises(AdapterBroken, match="does not act"):
        export(benches[kind], version, wish)
    Broken.spoiled = False
    monkeypatch.setattr(run, "check_part", lambda *arguments, **options: None)
    with pytest.raises(EvaluationError, match="answers worse"):
        export(benches[kind], version, wish)
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(STAGING) or path.name == "out"]


def test_an_earlier_export_is_replaced_and_nothing_else(benches, tmp_path):
    out = tmp_path / "out"
    export(benches["causal"], "plain", Wish("peft", out, rows=0))
    before = json.loads((out / EXPORT).read_text())
    (out / "left-over.txt").write_text("x")
    export(benches["causal"], "turned", Wish("peft", out, rows=0))
    after = json.loads((out / EXPORT).read_text())
    assert before["digest"] != after["digest"]
    assert not (out / "left-over.txt").exists()
    assert after["not_measured"] == "it was not asked for"
