"""``hatrack kb`` and ``hatrack ask --kb`` as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from knowledge_places import FACTS, add, knowledge_project, write_rows
from projects import copy_of, trained_by_text


@pytest.fixture
def root(tmp_path):
    root = knowledge_project(tmp_path / "project")
    write_rows(root / "facts.jsonl", FACTS)
    return root


@pytest.fixture
def kb(root, hatrack):
    """``kb("search", ...)`` runs a part of the command."""
    return lambda *arguments: hatrack("kb", *arguments, project=root)


def test_the_parts_are_listed_and_each_explains_itself(hatrack):
    listed = hatrack("kb", "--help").out
    for part in ("add", "remove", "list", "preview", "search", "eval", "clear"):
        assert f"  {part} " in listed
        assert "--project" in hatrack("kb", part, "--help").out
    assert hatrack("kb", "serch", "x").code == 2


def test_from_documents_to_passages_with_reasons(kb, root):
    added = kb("add", str(root / "facts.jsonl"), "--set", "team=cards", "--set", "level=3")
    assert added.code == 0
    assert " 5 " in added.out
    found = kb("search", "a lost card", "--explain", "-k", "2").out
    assert found.index("facts.jsonl#card") < found.index("BM25")
    assert "country FR" in found
    assert "#1" in found
    told = json.loads(kb("search", "rate of VAT", "--as-of", "2012-01-01", "--filter", '{"team": "cards", "level": 3}', "--json").out)
    assert told[0]["source"] == "facts.jsonl#vat-old"
    assert told[0]["metadata"]["valid_to"] == "2013-12-31"


def test_what_is_added_again_removed_listed_and_cleared(kb, root):
    kb("add", str(root / "facts.jsonl"))
    (again,) = json.loads(kb("add", str(root / "facts.jsonl"), "--json").out)
    assert (again["added"], again["unchanged"]) == (0, 5)
    assert "5 documents, 5 chunks" in kb("list").out
    assert kb("remove", "facts.jsonl#vat").out.startswith("1 document removed")
    assert len(json.loads(kb("list", "--json").out)) == 4
    assert kb("clear", "--yes").code == 0
    assert json.loads(kb("list", "--json").out) == []
    assert json.loads(kb("add", str(root / "facts.jsonl"), "--json").out)[0]["added"] == 5


def test_the_sources_of_the_config_are_added_without_a_path(root, hatrack):
    knowledge_project(root, collections={"a": {"sources": "facts.jsonl", "metadata": {"desk": 1}}, "b": {}})
    (report,) = json.loads(hatrack("kb", "add", "--json", project=root).out)
    assert (report["collection"], report["added"]) == ("a", 5)


def test_what_is_left_out_is_said_and_the_rest_goes_in(kb, root):
    write_rows(root / "facts.jsonl", [*FACTS, {"id": "none"}])
    ran = kb("add", str(root / "facts.jsonl"))
    assert ran.code == 0
    assert "facts.jsonl#none: there is no text" in ran.err


def test_a_preview_keeps_nothing(kb, root):
    (root / "a.md").write_text("# Cards\n\nLost cards are replaced.\n\n## Price\n\nFive euros.\n")
    shown = kb("preview", str(root / "a.md")).out
    assert "2 chunks" in shown
    assert "Cards > Price" in shown
    assert kb("search", "cards").code == 2


def test_figures_of_finding(kb, root):
    kb("add", str(root / "facts.jsonl"))
    write_rows(
        root / "q.jsonl",
        [{"text": "a lost card is replaced", "relevant": ["card"]}, {"text": "rate of VAT", "relevant": ["vat", "vat-old"]}],
    )
    figures = json.loads(kb("eval", str(root / "q.jsonl"), "--json").out)
    assert set(figures) == {"hybrid", "dense", "words"}
    assert figures["hybrid"]["ndcg_at_10"] == pytest.approx(1, abs=1e-6)
    assert "nDCG@10" in kb("eval", str(root / "q.jsonl")).out


def test_an_answer_shows_its_sources(tiny_causal, tmp_path, hatrack):
    root = copy_of(trained_by_text(tiny_causal), tmp_path)
    config = root / "hatrack.yaml"
    config.write_text(config.read_text() + "knowledge: {embedder: 'hashing:256', language: en}\n")
    write_rows(root / "facts.jsonl", FACTS)
    hatrack("kb", "add", str(root / "facts.jsonl"), project=root)
    ran = hatrack("ask", "colours", "a lost card is replaced", "--kb", "--max-new-tokens", "4", project=root)
    assert ran.code == 0, ran.err
    assert "[1] facts.jsonl#card" in ran.out
    told = json.loads(hatrack("ask", "base", "a lost card is replaced", "--filter", '{"country": "IN"}', "--json", project=root).out)
    assert told["knowledge"]["found"] is False
    assert told["text"] == "That is not in the sources."
    plain = json.loads(hatrack("ask", "colours", "a lost card", "--max-new-tokens", "2", "--json", project=root).out)
    assert "knowledge" not in plain


def test_a_conversation_from_documents(tiny_causal, tmp_path):
    root = copy_of(trained_by_text(tiny_causal), tmp_path)
    config = root / "hatrack.yaml"
    config.write_text(config.read_text() + "knowledge: {embedder: 'hashing:256', language: en}\n")
    add(root, write_rows(root / "facts.jsonl", FACTS))
    command = [sys.executable, "-m", "hatrack", "chat", "--kb", "--max-new-tokens", "4", "--project", str(root)]
    typed = "a lost card is replaced\nquantum gravity neutrino flux\n/quit\n"
    ran = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "[1] facts.jsonl#card" in ran.stdout


def test_a_search_looks_as_an_adapter_does_and_shows_the_query(tmp_path, tiny_causal, hatrack):
    root = copy_of(trained_by_text(tiny_causal), tmp_path)
    config = root / "hatrack.yaml"
    config.write_text(config.read_text() + "knowledge: {embedder: 'hashing:256', language: en}\n")
    add(root, write_rows(root / "facts.jsonl", FACTS))
    asked = ("kb", "search", "a lost card is replaced", "--adapter", "colours", "--explain")
    assert "rewritten" not in hatrack(*asked, project=root).out
    config.write_text(config.read_text().replace("  colours:", "  colours:\n    rag: {rewrite: true, filter: {country: IN}}", 1))
    ran = hatrack(*asked, project=root)
    assert ran.code == 0, ran.err
    assert "rewritten by colours: " in ran.out
    assert "#hours" in ran.out
    assert "#card" not in ran.out
    wrong = hatrack("kb", "search", "x", "--adapter", "colors", project=root)
    assert wrong.code == 2
    assert "did you mean colours?" in wrong.err
