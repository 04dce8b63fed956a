"""The base of an encoder project leaves as an embedder: what onnxruntime says in each precision, and what record and card say of it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from conftest import make_encoder
from exported_projects import encoder_project, open_bench
from hatrack.cli.exported import export_table
from hatrack.core.errors import AdapterBroken
from hatrack.models.host import ModelHost
from hatrack.workflows.export.closeness import Embedded
from hatrack.workflows.export.run import Wish, export
from projects import copy_of, write_project

FILES = {"FP32": "model.onnx", "INT8": "model-int8.onnx"}

both_precisions = pytest.mark.parametrize("precision", FILES)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return open_bench(encoder_project(tmp_path_factory.getbasetemp() / "exported"))


@pytest.fixture(scope="module")
def left(words, tmp_path_factory):
    """The folder and its record, written once."""
    pytest.importorskip("onnxscript", reason='pip install "hatrack[onnx]"')
    folder = tmp_path_factory.mktemp("left") / "out"
    return folder, export(words, "base", Wish("onnx", folder))


def ours(bench, rows):
    bench.host = bench.host or ModelHost(bench.files)
    return bench.host.embed_ids(rows).numpy()


def theirs(file, rows):
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    inputs = [np.array([ids]) for ids in rows]
    return np.concatenate([session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0] for ids in inputs])


def test_in_full_precision_its_vectors_are_those_of_here(words, left):
    folder, record = left
    assert record.adapter == "base"
    assert record.parts[0].likeness > 0.999
    rows = words.files.tokenizer(["red lamp", "a green cloud is in the river"]).input_ids
    assert np.allclose(theirs(folder / "model.onnx", rows), ours(words, rows), atol=1e-5)


@both_precisions
def test_record_and_card_say_how_close_its_vectors_are(words, left, precision):
    folder, record = left
    rows = words.files.tokenizer([row.text for row in words.prepare("words").splits.test]).input_ids
    cosines = (theirs(folder / FILES[precision], rows) * ours(words, rows)).sum(axis=1)  # both of length one
    assert cosines.min() > (0.99999 if precision == "FP32" else 0.95)
    [found] = [part.closeness for part in record.parts if part.name == precision]
    assert (found.texts, found.count) == ("test rows of words", len(rows))
    assert (found.mean, found.lowest) == pytest.approx((cosines.mean(), cosines.min()), abs=1e-5)
    card = (folder / "README.md").read_text()
    assert f"over {len(rows)} test rows of words" in card
    assert f"| {precision} | {found.mean:.4f} | {found.lowest:.4f} |" in card
    assert "Not measured" not in card


def test_fewer_bits_cost_something_and_the_screen_says_so(left):
    full, rounded = (part.closeness for part in left[1].parts)
    assert rounded.lowest < rounded.mean < full.lowest
    screen = Console(file=io.StringIO(), width=200)
    screen.print(export_table(left[1]))
    assert f"{rounded.mean:.4f}  {rounded.lowest:.4f}" in screen.file.getvalue()


def test_without_rows_the_texts_are_fixed(words, tmp_path):
    asked = Embedded.of(words, 0)
    assert (asked.texts, len(asked.inputs)) == ("fixed texts", 8)
    gone = open_bench(copy_of(words.project.root, tmp_path))
    (gone.project.root / "words.jsonl").unlink()
    assert Embedded.of(gone, 200).inputs == asked.inputs
    assert "compared on fixed texts" in gone.console.file.getvalue()


def test_no_more_rows_are_asked_than_wanted(words):
    asked = Embedded.of(words, 5)
    assert (asked.texts, len(asked.inputs), len(asked.here)) == ("test rows of words", 5, 5)


def test_a_base_of_which_eight_bits_leave_little_is_refused(tmp_path):
    """One large number in the table of words, of a token in no text: rounded on one scale with it, all others become zero."""
    pytest.importorskip("onnxscript", reason='pip install "hatrack[onnx]"')
    from safetensors.torch import load_file, save_file

    base = make_encoder(tmp_path / "tiny-bert")
    tensors = load_file(base / "model.safetensors")
    tensors["embeddings.word_embeddings.weight"][0, 0] = 1e4  # [PAD]
    for other in ("position_embeddings", "token_type_embeddings"):
        tensors[f"embeddings.{other}.weight"] *= 0.01
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    bench = open_bench(write_project(tmp_path / "project", base, {"words": {"data": "none.jsonl", "task": "classify"}}))
    with pytest.raises(AdapterBroken, match="rounded as INT8, little is left"):
        export(bench, "base", Wish("onnx", tmp_path / "out", rows=0))
    assert not (tmp_path / "out").exists()
    [full] = export(bench, "base", Wish("onnx", tmp_path / "out", ("FP32",), rows=0)).parts
    assert full.closeness.lowest > 0.9999
