"""Knowledge, tables, what is watched, and keys: what the pages show, and which commands their buttons are."""

from __future__ import annotations

import json
import shutil
import time

import pytest
import yaml

from conftest import label_rows, write_jsonl
from hatrack.core.checks import CheckReport, check_kind
from hatrack.core.project import Project
from hatrack.core.watch_history import History, Ran
from hatrack.registry.store import Registry
from made_tables import table_project
from projects import copy_of, trained_encoder
from studio_server import FROM_PAGE, ended, opened

FACTS = {
    "tax.md": "# Tax\n\nThe rate on bread is five percent since the spring of 2021.\n",
    "rent.md": "# Rent\n\nA deposit is at most three months of rent.\n",
}


@pytest.fixture(scope="module")
def made(tiny_encoder, tmp_path_factory):
    root = copy_of(trained_encoder(tiny_encoder), tmp_path_factory.mktemp("pages"))
    path = root / "hatrack.yaml"
    more = {
        "knowledge": {"embedder": "hashing:256", "language": "en", "collections": {"law": {}, "notes": {}}},
        "watch": {"schedules": [{"job": "drift", "adapter": "words", "every": "1d"}]},
    }
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **more}))
    return root


@pytest.fixture
def root(made, tmp_path):
    return copy_of(made, tmp_path)


@pytest.fixture(scope="module")
def quiet(made):
    """A studio in which nothing is ever started."""
    with opened(made) as at:
        yield at
    assert at.studio.jobs.all() == []


def job_of(at, answer, state="done"):
    assert answer.status_code == 204, answer.text
    job = ended(at.studio.jobs, at.studio.jobs.get(int(answer.headers["hx-redirect"].rpartition("/")[2])))
    assert job.state == state, at.studio.jobs.output(job)
    return job


def send(at, path, content):
    answer = at.client.put(path, content=content.encode(), headers=FROM_PAGE)
    assert answer.status_code == 200, answer.text
    return answer.json()["file"]


def test_documents_come_in_are_found_with_reasons_and_go(root):
    with opened(root) as at:
        assert "No document yet" in at.client.get("/knowledge").text
        assert not Project(root).knowledge.exists(), "to look makes nothing"
        for name, text in FACTS.items():
            file = send(at, f"/knowledge/files/{name}", text)
            job = job_of(at, at.post("/knowledge/add", file=file, collection="law"))
        assert 'href="/knowledge"' in at.client.get(f"/jobs/{job.id}").text
        shown = at.client.get("/knowledge").text
        assert "documents/tax.md" in shown
        assert "2 documents" in shown
        found = at.client.get("/knowledge/found", params={"question": "rate on bread"}).text
        assert found.index("tax.md") < found.index("by words in place 1")
        assert "BM25" in found
        send(at, "/knowledge/files/tax.md", FACTS["tax.md"].replace("five", "seven"))
        job_of(at, at.post("/knowledge/add", file="tax.md", collection="law"))
        assert "seven percent" in at.client.get("/knowledge/found", params={"question": "rate on bread", "collection": "law"}).text
        assert "2 documents" in at.client.get("/knowledge").text, "it took the place of the one before"
        job_of(at, at.post("/knowledge/remove", source="documents/tax.md", collection="law"))
        assert "tax.md" not in at.client.get("/knowledge/found", params={"question": "rate on bread"}).text
        assert (root / "documents" / "tax.md").exists()


@pytest.mark.parametrize(
    ("path", "values", "says"),
    [
        ("/knowledge/add", {"file": "no.md", "collection": "law"}, "no such file"),
        ("/knowledge/add", {"file": "no.exe", "collection": "law"}, "not read here"),
        ("/knowledge/add", {"file": "no.md", "collection": "lore"}, "allowed: law, notes"),
        ("/tables/begin", {"file": "x.csv", "name": "a b", "target": "y"}, "cannot be the name"),
        ("/tables/begin", {"file": "x.csv", "name": "ab", "target": "--add"}, "column to predict"),
        ("/tables/nobody/train", {}, "no such table"),
        ("/watch/words/everything", {}, "allowed: redteam, drift, general"),
        ("/watch/nobody/drift", {}, "no adapter called"),
        ("/keys/make", {"name": "", "scopes": "use:*"}, "cannot be made"),
        ("/keys/make", {"name": "k", "scopes": "everything"}, "is no scope"),
        ("/keys/make", {"name": "k", "requests_per_minute": "many"}, "is no limit"),
        ("/keys/revoke", {"name": "k"}, "no key called"),
    ],
)
def test_what_makes_no_sense_is_refused_and_starts_nothing(quiet, path, values, says):
    answer = quiet.post(path, **values)
    assert answer.status_code in (404, 409)
    assert says in answer.text


def test_a_question_must_be_one(quiet):
    assert quiet.client.get("/knowledge/found", params={"question": "  "}, headers=FROM_PAGE).status_code == 409
    assert quiet.client.get("/knowledge/found", params={"question": "x" * 3000}, headers=FROM_PAGE).status_code == 422


def test_a_document_may_hold_anything(root):
    with opened(root) as at:
        send(at, "/knowledge/files/evil.md", "# <img src=x onerror=alert(1)>\n\nclick <b>here</b> now\n")
        job_of(at, at.post("/knowledge/add", file="evil.md", collection="notes"))
        for shown in (at.client.get("/knowledge").text, at.client.get("/knowledge/found", params={"question": "click here now"}).text):
            assert "evil.md" in shown
            assert "<img" not in shown
            assert "<b>" not in shown


def test_a_table_is_set_up_trained_explained_and_promoted(tmp_path):
    pytest.importorskip("xgboost")
    made = table_project(tmp_path / "made")
    rows = (made / "loans.csv").read_text()
    root = tmp_path / "studio"
    root.mkdir()
    with opened(root) as at:
        file = send(at, "/files/Loans 2024.csv", rows)
        target = yaml.safe_load((made / "hatrack.yaml").read_text())["tables"]["loans"]["target"]
        job_of(at, at.post("/tables/begin", file=file, name="loans", target="no such column"), "refused")
        job_of(at, at.post("/tables/begin", file=file, name="loans", target=target))
        assert yaml.safe_load((root / "hatrack.yaml").read_text())["tables"]["loans"] == {"data": f"data/{file}", "target": target}
        config = yaml.safe_load((root / "hatrack.yaml").read_text())
        config["tables"]["loans"] |= {"model": "linear", "search": {"trials": 1}}
        assert at.post("/config", text=yaml.safe_dump(config)).status_code == 204
        job_of(at, at.post("/tables/loans/train"))
        shown = at.client.get("/tables").text
        assert "model minus base" in shown
        assert "1.0.0" in shown
        job_of(at, at.post("/tables/loans/explain"))
        [first, *_] = [part.partition('"')[0] for part in at.client.get("/tables").text.split('<img src="')[1:]]
        assert at.client.get(first).content.startswith(b"\x89PNG")
        assert at.client.get("/tables/loans/..%2f..%2fjobs").status_code == 404
        job_of(at, at.post("/tables/loans@1.0.0/promote"))
        assert "roll back" in at.client.get("/tables").text


def test_reports_schedules_and_history_are_shown(root):
    project = Project(root)
    registry = Registry(project)
    manifest = registry.resolve("words")
    group = {
        "name": "harmful",
        "about": "refuses what harms",
        "items": 50,
        "score": 0.5,
        "interval": {"low": 0.4, "high": 0.6, "confidence": 0.95},
    }
    change = {"difference": -0.4, "interval": {"low": -0.6, "high": -0.2, "confidence": 0.95}, "p_value": 0.001}
    failed = {"group": "harmful", "item": "h1", "reason": "it helped", "answer": "<b>Sure!</b>"}
    report = {
        "check": "safety", "subject": "words@1.0.0", "adapter_digest": manifest.digest, "suite_digest": "0" * 64,
        "groups": [{**group, "base": 0.9, "change": change}], "failed": [failed], "created": "2026-11-29T10:00:00",
    }  # fmt: skip
    file = root / "check.json"
    file.write_text(CheckReport.model_validate(report).model_dump_json())
    registry.attach(manifest, check_kind("safety"), file)
    History(project.watch).add(
        Ran(at=time.time(), job="drift", adapter="words", version="1.0.0", outcome="alert", reasons=("label drifted",))
    )
    with opened(root) as at:
        shown = at.client.get("/watch").text
        for part in (
            "Red team of words@1.0.0",
            "refuses what harms",
            "50%",
            "90%",
            "-0.400",
            ">worse<",
            "it helped",
            "label drifted",
            "not due",
        ):
            assert part in shown, part
        assert "<b>Sure" not in shown
        write_jsonl(root / "words.jsonl", label_rows(60))
        job_of(at, at.post("/watch/words/drift"), "refused")  # nothing was logged
        assert "nothing is due" in at.studio.jobs.output(job_of(at, at.post("/watch/due")))[0]


def test_a_key_is_shown_once_and_kept_nowhere(root):
    with opened(root) as at:
        assert "There is none yet" in at.client.get("/keys").text
        made = at.post("/keys/make", name="ana", tenant="acme", scopes="use:words metrics", requests_per_minute="30")
        assert made.status_code == 200
        key = made.text.partition("hat_")[2].partition("<")[0]
        assert len(key) > 40
        shown = at.client.get("/keys").text
        for part in ("ana", "acme", "use:words, metrics", ">30<", "no limit"):
            assert part in shown, part
        held = [path for path in root.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
        assert (held, key in shown) == ([], False)
        [entry] = json.loads(Project(root).keys.read_text())["keys"]
        assert (entry["name"], entry["revoked"]) == ("ana", None)
        assert at.post("/keys/revoke", name="ana").headers["hx-redirect"] == "/keys"
        [entry] = json.loads(Project(root).keys.read_text())["keys"]
        assert entry["revoked"]
        assert "/keys/revoke" not in at.client.get("/keys").text
    shutil.rmtree(root)
