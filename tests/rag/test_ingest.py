"""Documents in: only what changed, nothing that is gone, nothing lost by what cannot be read."""

from __future__ import annotations

import json

import pytest

import hatrack.rag.ingest as ingest_module
from hatrack.core.errors import DataFileError, KnowledgeError
from hatrack.models.embedders.hashing import HashingEmbedder
from hatrack.rag.clear import clear_collections
from hatrack.rag.ingest import Ingest
from knowledge_places import FACTS, add, found, knowledge_project, open_kb, write_rows


@pytest.fixture
def root(tmp_path):
    return knowledge_project(tmp_path / "project")


@pytest.fixture
def embedded(monkeypatch):
    """Texts that were embedded as passages."""
    seen = []
    plain = HashingEmbedder.passages

    def counted(self, texts):
        seen.extend(texts)
        return plain(self, texts)

    monkeypatch.setattr(HashingEmbedder, "passages", counted)
    monkeypatch.setattr(HashingEmbedder, "queries", plain)
    return seen


def counts(root):
    kb = open_kb(root)
    documents, chunks = kb.catalog.counts("main")
    held = kb.store.count("main")
    assert held == chunks, "store and catalog disagree"
    assert kb.catalog.between() == {}
    kb.close()
    return documents, chunks


def test_every_format_becomes_documents(root):
    docs = root / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Refunds\n\nMoney goes back.\n\n## Cards\n\nLost cards are replaced.\n")
    (docs / "b.txt").write_text("The desk opens at nine.")
    (docs / "c.html").write_text("<html><title>T</title><body><h1>H</h1><p>Stones are blue.</p></body></html>")
    write_rows(docs / "d.jsonl", FACTS)
    (docs / "e.csv").write_text("id,text,country\n1,Rivers are long,FR\n")
    (docs / "ignored.bin").write_bytes(b"\0")
    report = add(root, docs)
    assert (report.added, report.left_out) == (4 + len(FACTS), [])
    assert found(root, "lost cards are replaced")[0] in ("docs/a.md", "card")
    assert found(root, "rivers", where={"country": "FR"})[0] == "1"
    assert counts(root)[0] == 4 + len(FACTS)


def test_what_did_not_change_is_not_embedded_again(root, embedded):
    path = write_rows(root / "facts.jsonl", FACTS)
    assert add(root, path).added == 5
    embedded.clear()
    assert add(root, path).unchanged == 5
    assert embedded == []
    changed = [{**row, "text": "The desk never opens."} if row["id"] == "hours" else row for row in FACTS]
    report = add(root, write_rows(path, changed))
    assert (report.added, report.changed, report.unchanged, report.removed) == (0, 1, 4, 0)
    assert embedded == ["Hours\nThe desk never opens."]
    assert counts(root) == (5, 5)


def test_other_rules_make_all_chunks_anew(root):
    path = write_rows(root / "facts.jsonl", FACTS)
    add(root, path)
    assert add(root, path, team="x").changed == 5
    knowledge_project(root, chunks={"context": False})
    assert add(root, path, team="x").changed == 5


def test_what_is_gone_leaves(root):
    docs = root / "docs"
    write_rows(docs / "facts.jsonl", FACTS)
    (docs / "a.txt").write_text("Stones are blue.")
    (docs / "b.txt").write_text("Rivers are long.")
    add(root, docs)
    (docs / "a.txt").unlink()
    write_rows(docs / "facts.jsonl", FACTS[1:])
    report = add(root, docs)
    assert report.removed == 2
    assert "docs/a.txt" not in found(root, "stones are blue", k=10)
    assert "refund" not in found(root, "money goes back", k=10)
    (docs / "b.txt").unlink()
    (docs / "facts.jsonl").unlink()
    assert add(root, docs).removed == 5
    assert counts(root) == (0, 0)


def test_one_folder_says_nothing_of_another(root):
    for name in ("a", "ab"):
        (root / name).mkdir()
        (root / name / "x.txt").write_text(f"Stones of {name} are blue.")
        add(root, root / name)
    (root / "a" / "x.txt").unlink()
    (root / "a" / "y.txt").write_text("Rivers are long.")
    assert add(root, root / "a").removed == 1
    assert counts(root)[0] == 2


def test_what_cannot_be_read_is_said_and_its_old_version_stays(root):
    path = write_rows(root / "facts.jsonl", FACTS)
    add(root, path)
    path.write_text(path.read_text() + "{broken\n")
    report = add(root, path)
    assert "facts.jsonl#6" in report.left_out[0].source
    write_rows(path, FACTS[2:])
    path.write_text(path.read_text() + "{broken\n")
    assert add(root, path).removed == 0  # the broken row may be one of those that are missing
    assert counts(root)[0] == 5


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pdf", b"", "empty"),
        ("a.txt", b"\xff\xfe\xfa", "UTF-8"),
        ("a.jsonl", b'{"text": "' + b"x" * 2_000_000 + b'"}\n', "max_document_mb"),
        ("a.jsonl", b'{"title": "x"}\n', "no text"),
        ("a.jsonl", b'{"text": "x", "valid_from": "soon"}\n', "valid_from is no date"),
        ("a.docx", b"PK\x03\x04rubbish", "a.docx"),
    ],
)
def test_bad_files_are_left_out_with_their_reason_and_the_rest_goes_in(root, name, content, says):
    knowledge_project(root, max_document_mb=1)
    docs = root / "docs"
    docs.mkdir()
    (docs / name).write_bytes(content)
    (docs / "good.txt").write_text("Stones are blue.")
    report = add(root, docs)
    assert report.added == 1
    assert len(report.left_out) == 1
    assert says in f"{report.left_out[0].source} {report.left_out[0].reason}"


def test_an_encrypted_pdf_is_left_out_with_its_reason(root):
    from pypdf import PdfWriter

    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.encrypt("secret")
    writer.write(root / "locked.pdf")
    report = add(root, root / "locked.pdf")
    assert report.added == 0
    assert "encrypted" in report.left_out[0].reason or "password" in report.left_out[0].reason


def test_a_second_document_of_one_id_is_left_out(root):
    report = add(root, write_rows(root / "a.jsonl", [{"id": 1, "text": "one"}, {"id": 1, "text": "two"}]))
    assert (report.added, len(report.left_out)) == (1, 1)


@pytest.mark.parametrize(("mode", "kept"), [("report", "anna@example.com"), ("mask", "<EMAIL_ADDRESS>"), ("drop", None)])
def test_personal_data_are_counted_masked_or_keep_the_document_out(root, mode, kept):
    knowledge_project(root, pii={"mode": mode})
    (root / "a.txt").write_text("Write to anna@example.com for the key.")
    report = add(root, root / "a.txt")
    assert report.personal == {"EMAIL_ADDRESS": 1}
    kb = open_kb(root)
    texts = [text for _, text in kb.catalog.searched("main")]
    kb.close()
    assert len(report.left_out) == (kept is None)
    assert [kept in text for text in texts] == ([] if kept is None else [True])


def test_metadata_of_a_collection_and_of_a_document(root):
    knowledge_project(root, collections={"main": {"metadata": {"country": "US", "desk": 4}}})
    add(root, write_rows(root / "facts.jsonl", [{"id": "a", "text": "stones"}, {"id": "b", "text": "stones", "country": "FR"}]))
    assert found(root, "stones", where={"country": "US"}) == ["a"]
    assert found(root, "stones", where={"country": "FR", "desk": 4}) == ["b"]


def test_documents_are_removed_by_name_or_by_file(root):
    add(root, write_rows(root / "facts.jsonl", FACTS))
    kb = open_kb(root)
    assert Ingest(kb, "main").remove(["facts.jsonl#vat"]) == 1
    assert Ingest(kb, "main").remove(["nothing"]) == 0
    assert Ingest(kb, "main").remove(["facts.jsonl"]) == 4
    kb.close()
    assert counts(root) == (0, 0)
    assert add(root, root / "facts.jsonl").added == 5


def test_an_error_in_the_middle_loses_nothing_and_the_next_run_goes_on(root, monkeypatch, embedded):
    monkeypatch.setattr(ingest_module, "_BATCH", 10)
    rows = [{"id": i, "text": f"stone number {i}"} for i in range(60)]
    path = write_rows(root / "many.jsonl", rows)
    plain, calls = HashingEmbedder.passages, []

    def failing(self, texts):
        calls.append(len(texts))
        if len(calls) == 4:
            raise OSError("gone")
        return plain(self, texts)

    with monkeypatch.context() as patch:
        patch.setattr(HashingEmbedder, "passages", failing)
        with pytest.raises(OSError, match="gone"):
            add(root, path)
    embedded.clear()
    report = add(root, path)
    assert (report.added, report.unchanged) == (30, 30)
    assert len(embedded) == 30
    assert counts(root) == (60, 60)


def test_only_one_process_writes(root):
    first, second = open_kb(root), open_kb(root)
    with first.alone(), pytest.raises(KnowledgeError, match="another process"), second.alone():
        pass
    first.close()
    second.close()


def test_after_clearing_another_embedder_may_come(root):
    path = write_rows(root / "facts.jsonl", FACTS)
    add(root, path)
    kb = open_kb(root)
    clear_collections(kb, ["main"])
    kb.close()
    knowledge_project(root, embedder="hashing:512")
    assert add(root, path).added == 5
    assert found(root, "lost card")[0] == "card"


def test_a_path_that_is_not_there_or_holds_nothing(root):
    (root / "empty").mkdir()
    (root / "docs.txt").write_text("x")
    with pytest.raises(DataFileError, match="no such file") as caught:
        add(root, root / "dcs.txt")
    assert "docs.txt" in caught.value.fix
    with pytest.raises(DataFileError, match="holds no file"):
        add(root, root / "empty")


def test_memory_does_not_grow_with_the_file(root, monkeypatch):
    import tracemalloc

    monkeypatch.setattr(ingest_module, "_BATCH", 64)
    peaks = []
    for count in (300, 3000):
        path = root / f"rows{count}.jsonl"
        path.write_text("".join(json.dumps({"id": i, "text": f"stone {i} " * 40}) + "\n" for i in range(count)))
        tracemalloc.start()
        assert add(root, path).added == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 1_000_000


def test_a_batch_does_not_walk_through_what_is_there_already(root):
    """What a batch costs must not grow with the collection: no statement of the catalog reads all chunks or documents."""
    (root / "a.txt").write_text("a stone")
    statements = []
    kb = open_kb(root)
    kb.catalog._db.set_trace_callback(statements.append)
    Ingest(kb, "main").add(root / "a.txt")
    kb.catalog._db.set_trace_callback(None)
    writing = [text for text in statements if "'writing'" in text or "<> 'ready'" in text]
    assert len(writing) > 3
    for text in writing:
        if text.startswith(("UPDATE", "SELECT", "DELETE")):
            plan = [row[3] for row in kb.catalog._db.execute(f"EXPLAIN QUERY PLAN {text}")]
            assert not [step for step in plan if step.startswith("SCAN") and "documents_between" not in step], (text, plan)
            assert not [step for step in plan if "documents_source (collection=?)" in step], (text, plan)
    kb.close()
