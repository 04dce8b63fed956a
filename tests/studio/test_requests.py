"""Who may speak to the studio, what it takes, and what it says to what it does not take."""

from __future__ import annotations

import socket
import time

import pytest

from conftest import label_rows
from hatrack.core.errors import DataFileError
from hatrack.studio.uploads import safe_name
from projects import copy_of, trained_encoder
from studio_server import FROM_PAGE, ended, opened


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_encoder):
    from hatrack.cli.main import main

    root = copy_of(trained_encoder(tiny_encoder), tmp_path_factory.mktemp("studio"))
    with pytest.raises(SystemExit):
        main(["adapt", "words", "--project", str(root), "--json"])
    return root


@pytest.fixture(scope="module")
def at(trained):
    with opened(trained) as at:
        yield at


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Host": "evil.example"}, "this machine alone"),
        ({"Host": "127.0.0.1.evil.example"}, "this machine alone"),
        ({}, "own page"),
        ({**FROM_PAGE, "Origin": "http://evil.example"}, "own page"),
        ({**FROM_PAGE, "Origin": "null"}, "own page"),
    ],
)
def test_another_site_in_the_same_browser_starts_nothing(at, headers, why):
    answer = at.client.post("/adapters/words/train", headers=headers)
    assert (answer.status_code, why in answer.text) == (403, True), answer.text
    assert at.studio.jobs.all() == []


def test_nor_does_a_page_of_another_name_read_anything(at):
    assert at.client.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert at.client.get("/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/adapters/words", "/data", "/runs", "/knowledge", "/tables", "/watch", "/keys", "/serving", "/serving/live", "/config"]
)
def test_pages_run_nothing_from_elsewhere_and_nobody_keeps_them(at, path):
    answer = at.client.get(path)
    assert answer.status_code == 200, answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "words" in at.client.get("/").text
    assert "<script>" not in answer.text
    assert " style=" not in answer.text


def test_the_proof_is_shown_with_its_intervals(at):
    text = at.client.get("/adapters/words").text
    for part in ("95 % interval", "nearest class centroid", "macro-F1", "p (McNemar)", "1.0.0"):
        assert part in text


def test_a_run_is_drawn_and_its_report_is_shown_as_a_page_that_runs_nothing(at):
    text = at.client.get("/runs").text
    [key] = [part.partition('"')[0] for part in text.split('name="run" value="')[1:]]
    drawn = at.client.get("/runs", params={"run": key}).text
    assert "<polyline" in drawn
    assert "<polyline" not in text
    report = at.client.get(f"/runs/{key}/report.html")
    assert "sandbox" in report.headers["content-security-policy"]
    assert "<svg" in report.text


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/adapters/nobody", "there is no adapter called"),
        ("/adapters/words/check.html", "was not made yet"),
        ("/adapters/words/compare.html", "was not made yet"),
        ("/runs/nothing/report.html", "no such run"),
        ("/runs/..%2f..%2fhatrack.yaml/report.html", ""),
        ("/jobs/9", "no such job"),
        ("/web/layout.html", ""),
        ("/web/..%2fviews.py", ""),
    ],
)
def test_what_is_not_there_is_404(at, path, says):
    answer = at.client.get(path)
    assert answer.status_code == 404
    assert says in answer.text


def test_settings_are_kept_only_without_faults(at, trained):
    before = (trained / "hatrack.yaml").read_text()
    refused = at.post("/config", text=before.replace("epochs:", "epocs:"))
    assert refused.status_code == 409
    assert "epocs" in refused.text
    assert "did you mean" in refused.text
    assert (trained / "hatrack.yaml").read_text() == before
    kept = at.post("/config", text=before.replace("\n", "\r\n") + "# a remark\r\n")
    assert (kept.status_code, kept.headers["hx-redirect"]) == (204, "/")
    assert (trained / "hatrack.yaml").read_text() == before + "# a remark\n"
    refused = at.post("/begin", file="words.csv", name="words")
    assert refused.status_code == 204
    job = ended(at.studio.jobs, at.studio.jobs.all()[0])
    assert job.state == "refused", "there is no such file"
    at.post("/config", text=before)


@pytest.mark.parametrize("minutes", ["", "0", "-3", "1.5", "99999", "x"])
def test_a_time_must_be_one(at, minutes):
    answer = at.post("/adapters/words/compare", minutes=minutes)
    assert answer.status_code == 409
    assert "1 to 1440 minutes" in answer.text


def test_what_is_not_said_is_not_guessed(tmp_path):
    with opened(tmp_path) as fresh:
        refused = fresh.post("/begin", file="rows.csv", name="rows", kind="lables")
        assert (refused.status_code, "allowed: labels, text" in refused.text) == (409, True), refused.text
        assert fresh.post("/serving/begin").status_code == 404
        assert fresh.studio.jobs.all() == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("my rows.csv", "my-rows.csv"),
        ("..\\..\\etc\\rows.CSV", "rows.CSV"),
        ("../../hatrack.csv", "hatrack.csv"),
        ("été 2024.jsonl", "t-2024.jsonl"),
        (".hidden.csv", "hidden.csv"),
        ("x" * 300 + ".csv", "x" * 116 + ".csv"),
    ],
)
def test_a_file_gets_a_name_that_means_nothing_elsewhere(given, kept):
    assert safe_name(given) == kept


@pytest.mark.parametrize("given", ["", ".csv", "rows", "model.pkl", "evil.yaml", "a/b/", "..", "rows.csv/.."])
def test_other_files_are_refused(given):
    with pytest.raises(DataFileError, match="not read here"):
        safe_name(given)


def test_a_file_is_kept_whole_or_not_at_all_and_never_over_another(at, trained):
    send = lambda name, content: at.client.put(f"/files/{name}", content=content, headers=FROM_PAGE)  # noqa: E731
    assert send("new.csv", b"text,label\n").json() == {"file": "new.csv"}
    assert send("new.csv", b"text,label\na,b\n").json() == {"file": "new-2.csv"}
    assert (trained / "data" / "new.csv").read_bytes() == b"text,label\n"
    empty = send("none.csv", b"")
    assert (empty.status_code, "empty" in empty.text) == (409, True)
    with socket.create_connection(("127.0.0.1", at.client.base_url.port)) as half:
        half.sendall(b"PUT /files/half.csv HTTP/1.1\r\nHost: 127.0.0.1\r\nHX-Request: true\r\nContent-Length: 100000\r\n\r\ntext,label\n")
        time.sleep(0.2)
    time.sleep(0.3)
    assert sorted(path.name for path in (trained / "data").iterdir()) == ["new-2.csv", "new.csv"]


def test_a_button_is_a_command_and_a_second_one_waits(at, trained):
    answer = at.post("/adapters/words/check")
    assert answer.status_code == 204
    number = int(answer.headers["hx-redirect"].rpartition("/")[2])
    busy = at.post("/adapters/words/train")
    assert busy.status_code == 409
    assert "Look at the data of words" in busy.text
    assert "disabled" in at.client.get("/adapters/words").text
    job = ended(at.studio.jobs, at.studio.jobs.get(number))
    assert job.state == "done", at.studio.jobs.output(job)
    report = at.client.get("/adapters/words/check.html")
    assert report.status_code == 200
    assert "sandbox" in report.headers["content-security-policy"]
    shown = at.client.get(f"/jobs/{number}").text
    assert 'href="/adapters/words"' in shown
    assert "hx-trigger" not in shown, "what is over is not asked for again"


def test_a_version_is_promoted_and_rolled_back_by_the_registrys_own_rules(at):
    for path, says in (("/adapters/words@1.0.0/promote", ("done", "refused")), ("/adapters/words/rollback", ("refused",))):
        answer = at.post(path)
        job = ended(at.studio.jobs, at.studio.jobs.get(int(answer.headers["hx-redirect"].rpartition("/")[2])))
        assert job.state in says, at.studio.jobs.output(job)


def test_rows_of_the_project_are_escaped(at, trained):
    jobs = at.studio.jobs
    job = ended(jobs, jobs.start("<img src=x onerror=alert(1)>", ("train", "<b>"), "words"))
    shown = at.client.get(f"/jobs/{job.id}").text
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "&lt;img" in shown


def test_another_adapter_is_added_to_the_settings_that_are_there(at, trained):
    rows = "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in label_rows(60, ("one", "two")))
    file = at.client.put("/files/numbers.csv", content=rows.encode(), headers=FROM_PAGE).json()["file"]
    answer = at.post("/begin", file=file, name="numbers")
    job = ended(at.studio.jobs, at.studio.jobs.get(int(answer.headers["hx-redirect"].rpartition("/")[2])))
    assert job.state == "done", at.studio.jobs.output(job)
    assert "numbers" in at.client.get("/").text
    assert "Look at the data" in at.client.get("/adapters/numbers").text
    again = at.post("/begin", file=file, name="numbers")
    job = ended(at.studio.jobs, at.studio.jobs.get(int(again.headers["hx-redirect"].rpartition("/")[2])))
    assert job.state == "refused"
    assert "numbers already" in at.studio.jobs.output(job)[1]
