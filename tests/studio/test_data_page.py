"""The page of data: files of the settings and files that were sent, their rows escaped, what is found in them marked."""

from __future__ import annotations

import logging

import pytest
import yaml

from conftest import label_rows, write_jsonl
from projects import copy_of, trained_encoder
from studio_server import FROM_PAGE, ended, opened

MAIL = "j.doe@kolo.org"


@pytest.fixture(scope="module")
def root(tiny_encoder, tmp_path_factory):
    root = copy_of(trained_encoder(tiny_encoder), tmp_path_factory.mktemp("data"))
    rows = label_rows(60)
    rows[0]["text"] += f" write to {MAIL}"
    rows[1]["text"] = "<img src=x onerror=alert(1)> red <b>now</b>"
    write_jsonl(root / "words.jsonl", rows)
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["adapters"]["words"]["prepare"] = {"pii": {"mode": "mask"}}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    return root


@pytest.fixture(scope="module")
def at(root):
    with opened(root) as at:
        yield at


def test_the_first_rows_are_shown_and_more_on_the_next_page(at):
    assert "words.jsonl" in at.client.get("/data").text
    link = at.client.get("/adapters/words").text.partition('href="/data?')[2].partition('"')[0].replace("&amp;", "&")
    first = at.client.get(f"/data?{link}").text
    assert "rows 1 to 20" in first
    more = first.partition('<a href="/data?of=words&amp;')[2]
    assert "More rows" in first
    assert "rel=" in more
    last = at.client.get("/data", params={"of": "words", "file": "words.jsonl", "after": 40}).text
    assert "rows 41 to 60" in last
    assert ("More rows" in last, "The rows before" in last) == (False, True)


def test_what_is_found_is_marked_and_nothing_of_a_row_is_shown_as_markup_or_logged(at, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    shown = at.client.get("/data", params={"of": "words", "file": "words.jsonl"}).text
    assert f"<mark>EMAIL_ADDRESS j… ({len(MAIL)} characters)</mark>" in shown
    assert "EMAIL_ADDRESS in 1" in shown
    assert "each value becomes its type" in shown
    assert MAIL not in shown
    assert "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt; red &lt;b&gt;now" in shown
    out, err = capfd.readouterr()
    for part in (MAIL, "onerror"):
        assert part not in caplog.text + out + err


def test_a_file_that_was_sent_can_be_looked_at_before_anything_learns_from_it(at):
    sent = at.client.put("/files/new.csv", content=f"text,label\nask {MAIL},a\n".encode(), headers=FROM_PAGE).json()["file"]
    assert "nothing yet" in at.client.get("/data").text
    shown = at.client.get("/data", params={"file": f"data/{sent}"}).text
    assert "<mark>EMAIL_ADDRESS" in shown
    assert MAIL not in shown


@pytest.mark.parametrize("file", ["hatrack.yaml", "../words.jsonl", "data/../hatrack.yaml", "/etc/passwd"])
def test_no_other_file_is_read(at, file):
    answer = at.client.get("/data", params={"of": "words", "file": file})
    assert (answer.status_code, "no such file" in answer.text) == (404, True)


def test_the_preview_is_the_commands_own(at, root):
    answer = at.post("/data/words/preview")
    job = ended(at.studio.jobs, at.studio.jobs.get(int(answer.headers["hx-redirect"].rpartition("/")[2])))
    assert (job.state, job.line) == ("done", "hatrack prepare words --preview-pii 20")
    out, err = at.studio.jobs.output(job)
    assert "<EMAIL_ADDRESS>" in out
    assert MAIL not in out + err
    assert MAIL not in "".join(path.read_text() for path in (root / ".hatrack" / "studio").rglob("*") if path.is_file())
    assert at.post("/data/nobody/preview").status_code == 404
