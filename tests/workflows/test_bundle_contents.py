"""What a bundle holds: what it lists, also out of a shared registry; knowledge and tables as they were; and what it lacks is said."""

from __future__ import annotations

import shutil

import pytest
import yaml

from exported_projects import encoder_project, open_bench
from hatrack.core.errors import AdapterBroken, KnowledgeError
from hatrack.core.lineage import TABLE, HostedWeights
from hatrack.core.project import Project
from hatrack.models.loading import open_base
from hatrack.registry.database import Database
from hatrack.registry.exchange import copy_version
from hatrack.registry.migrate import upgrade
from hatrack.registry.place import own_place
from hatrack.registry.promote import promote, rollback
from hatrack.registry.store import Registry
from hatrack.serving.tables import stored_table
from hatrack.workflows.bundle.pack import pack
from hatrack.workflows.bundle.record import KEY, new_key
from hatrack.workflows.bundle.unpack import unpack
from hatrack.workflows.table_project import TableProject
from hatrack.workflows.table_train import train_table
from knowledge_places import FACTS, add, found, open_kb, write_rows
from made_tables import loan_rows, write_csv
from made_versions import added, draft, report
from projects import copy_of
from routed_projects import learn
from shared_places import bucket, new_database, s3_address
from tiny_cross_encoder import make_cross_encoder

pytest.importorskip("cryptography", reason='pip install "hatrack[bundle]"')
PRIVATE, PUBLIC = new_key()
LOANS = {"data": "loans.csv", "target": "late", "model": "linear", "search": {"trials": 1}, "split": {"folds": 3}}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(KEY, PRIVATE)


@pytest.fixture
def root(tmp_path, tmp_path_factory):
    """A project of one's own with the classifier ``words``."""
    return copy_of(encoder_project(tmp_path_factory.getbasetemp() / "exported"), tmp_path)


def configure(root, **keys):
    path = root / "hatrack.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **keys}, sort_keys=False))


def moved(root):
    """Bundled, unpacked elsewhere, and gone here."""
    record = pack(open_bench(root), root.parent / "all.hatrack", None)
    unpack(root.parent / "all.hatrack", root.parent / "there", PUBLIC)
    shutil.rmtree(root)
    return record, root.parent / "there"


def test_documents_are_found_and_a_table_predicts_as_before(root):
    configure(root, knowledge={"embedder": "hashing:256", "language": "en"}, tables={"loans": LOANS})
    write_csv(root / "loans.csv", loan_rows())
    train_table(TableProject.open(root, "loans"))
    reading = open_kb(root)  # as a server does: what is added lies in -wal files beside the databases
    add(root, write_rows(root / "facts.jsonl", FACTS))
    asked, rows = "the rate of VAT and a lost card", [{key: row[key] for key in row if key != "late"} for row in loan_rows(40, seed=5)]
    before = {mode: found(root, asked, mode=mode, k=5) for mode in ("dense", "words", "hybrid")}
    version, model = stored_table(Registry(Project(root)), "loans")
    expected = model.answers(model.predict(model.table(rows)))
    record, there = moved(root)
    reading.close()
    assert record.versions == ("words@1.0.0", "loans@1.0.0")
    assert {mode: found(there, asked, mode=mode, k=5) for mode in before} == before
    assert all(before.values())
    assert [file.name for file in record.files if file.name.endswith(("-wal", "-shm", ".lock"))] == []
    again, model = stored_table(Registry(Project(there)), "loans")
    assert again == version
    assert model.answers(model.predict(model.table(rows))) == expected
    assert any(line.startswith("the data of loans stay here") for line in record.left_out)


def test_while_documents_are_added_nothing_is_packed(root):
    configure(root, knowledge={"embedder": "hashing:256"})
    add(root, write_rows(root / "facts.jsonl", FACTS))
    kb = open_kb(root)
    with kb.alone(), pytest.raises(KnowledgeError, match="another process"):
        pack(open_bench(root), root.parent / "all.hatrack", None)
    kb.close()
    assert not (root.parent / "all.hatrack").exists()


@pytest.mark.parametrize("kind", ["postgresql and s3", "sqlite and a folder", "a folder of files"])
def test_a_shared_registry_goes_along_as_it_is(root, tmp_path, kind):
    place = {
        "postgresql and s3": lambda: {"database": new_database(), "blobs": f"s3://{bucket()}/team", "endpoint": s3_address()},
        "sqlite and a folder": lambda: {"database": f"sqlite:///{tmp_path}/team.db", "blobs": str(tmp_path / "blobs")},
        "a folder of files": lambda: {"blobs": str(tmp_path / "blobs")},
    }[kind]()
    own = Registry(Project(copy_of(root, tmp_path / "own")))
    shutil.rmtree(root / ".hatrack")
    configure(root, registry=place)
    (root / ".hatrack").mkdir()
    upgrade(Database(own_place(Project(root))))
    team = Registry(Project(root))
    words = copy_version(own, team, own.resolve("words"), "pushed").target
    other = added(team, tmp_path / "other", name="words", weights="other")
    team.add_report(words, report(words))
    promote(team, "words@1.0.0")
    promote(team, f"words@{other.version}", override="a try")
    listed, history = team.versions("words"), team.history("words")
    record, there = moved(root)
    assert record.versions == ("words@1.0.0", f"words@{other.version}")
    assert record.champions == {"words": other.version}
    assert any(str(place.get("database", place["blobs"])) in line for line in record.left_out)
    assert "registry" not in yaml.safe_load((there / "hatrack.yaml").read_text())
    shutil.rmtree(tmp_path / "blobs", ignore_errors=True)
    copy = Registry(Project(there))
    assert (copy.versions("words"), copy.history("words"), copy.report(words)) == (listed, history, report(words))
    assert [copy.folder(one).is_dir() for one in listed] == [True, True]
    assert rollback(copy, "words") == words


def test_a_damaged_file_of_a_version_is_not_signed(root):
    registry = Registry(Project(root))
    blob = registry.blobs.local(next(iter(registry.resolve("words").files.values())))
    blob.write_bytes(b"other bytes")
    with pytest.raises(AdapterBroken, match="damaged in the registry"):
        pack(open_bench(root), root.parent / "all.hatrack", None)
    blob.unlink()
    with pytest.raises(AdapterBroken, match="missing from the registry"):
        pack(open_bench(root), root.parent / "all.hatrack", None)
    assert not (root.parent / "all.hatrack").exists()


def test_the_models_of_routing_and_of_search_go_along(root, tmp_path, tiny_encoder):
    reranker = make_cross_encoder(tmp_path / "models" / "stone", word="stone")
    routing, knowledge = {"embedder": str(tiny_encoder)}, {"embedder": "hashing:256", "search": {"reranker": str(reranker)}}
    configure(root, routing=routing, knowledge=knowledge)
    add(root, write_rows(root / "rows.jsonl", [{"id": "a", "text": "a red apple"}, {"id": "b", "text": "an apple and a stone"}]))
    registry = Registry(Project(root))
    learn(registry, registry.resolve("words"), "card", tmp_path)
    fingerprint = open_base(str(tiny_encoder)).fingerprint
    record, there = moved(root)
    shutil.rmtree(reranker)
    bench = open_bench(there)
    assert bench.config.routing.embedder == "./routing-embedder"
    assert open_base(bench.project.base_spec("./routing-embedder")).fingerprint == fingerprint
    assert bench.config.knowledge.search.reranker == "./reranker"
    assert found(there, "a red apple")[0] == "b"
    assert [line for line in record.left_out if "data of" not in line] == []


def test_a_model_of_two_uses_goes_along_once_and_one_that_nobody_uses_not_at_all(root, tmp_path, tiny_encoder):
    configure(root, routing={"embedder": str(tiny_encoder)}, knowledge={"embedder": str(tiny_encoder)})
    first = pack(open_bench(root), tmp_path / "first.hatrack", None)
    assert {file.name.partition("/")[0] for file in first.files} == {"base", ".hatrack", "hatrack.yaml"}
    add(root, write_rows(root / "facts.jsonl", FACTS))
    registry = Registry(Project(root))
    learn(registry, registry.resolve("words"), "card", tmp_path)
    second, there = moved(root)
    assert {file.name.partition("/")[0] for file in second.files} == {"base", "embedder", ".hatrack", "hatrack.yaml"}
    config = open_bench(there).config
    assert (config.routing.embedder, config.knowledge.embedder) == ("./embedder", "./embedder")


def test_what_is_not_inside_is_said(root, tmp_path):
    store = "postgresql://me:secret@db.example.com/kb"
    knowledge = {"store": store, "embedder": "llm:bundled/smollm2-135m-instruct", "search": {"reranker": "other:thing"}}
    configure(root, knowledge=knowledge, serve={"engine": "vllm", "vllm": {"url": "http://127.0.0.1:9"}})
    (root / ".hatrack" / "kb").mkdir()
    registry = Registry(Project(root))
    readings = [{"embedder": "bundled/all-minilm-l6-v2"}, {"embedder": "hashing:64"}, {"adapter": "words@1.0.0"}]
    table = draft(registry, tmp_path / "t", name="loans", weights="table", readings=readings).model_copy(update={"kind": TABLE})
    registry.add(table, tmp_path / "t")
    hosted = HostedWeights(
        provider="openai", base_url="https://api.example.com/v1", api_key_env="K", base_model="m", model="m", job="",
        hyperparameters={}, trained_tokens=None, data_digest="",
    )  # fmt: skip
    far = draft(registry, tmp_path / "h", name="far", weights="far").model_copy(update={"hosted": hosted})
    registry.add(far, tmp_path / "h")
    said = pack(open_bench(root), tmp_path / "all.hatrack", None).left_out
    assert said == (
        "the vectors of the documents lie in postgresql://me@db.example.com/kb, which must be reached from the other machine",
        "the embedder llm:bundled/smollm2-135m-instruct must be there on the other machine",
        "the reranker other:thing must be there on the other machine",
        "the table loans reads texts with the embedder bundled/all-minilm-l6-v2, which must be there on the other machine",
        "far is answered at api.example.com, which must be reached from the other machine",
        "the engine vllm must be there on the other machine",
        "the data of words stay here; it can be used there, not trained",
    )
