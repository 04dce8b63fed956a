"""From a file to a server in a real Chromium, without a command line: every step is a button, and a picture is taken of each."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import httpx
import pytest

from browser import CHROMIUM, browser
from conftest import label_rows
from hatrack.studio.views import check_page
from studio_server import opened
from studio_steps import choose, finished, press

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def pictures(tmp_path):
    """Where the pictures go; with HATRACK_PICTURES they are kept there."""
    return Path(os.environ.get("HATRACK_PICTURES", tmp_path))


def clear(page):
    """Nothing on the page keeps anybody out."""
    assert page.barriers() == [], page.value("location.pathname")


def fits(page, width):
    assert page.value("document.documentElement.scrollWidth") <= width, f"{page.value('location.pathname')} sticks out"


def test_a_file_becomes_a_proven_adapter_that_answers(chromium, tmp_path, tiny_encoder, pictures):
    table = tmp_path / "Colour words.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "label"), *((row["text"], row["label"]) for row in label_rows(400))])
    page = chromium
    page.complaints.clear()
    with opened(tmp_path / "colours") as at:
        (tmp_path / "colours").mkdir(exist_ok=True)
        page.look(1200)
        page.open(at.url)
        assert "Begin with a file" in page.value("document.body.innerText")
        choose(page, table)
        assert page.until("document.getElementById('name')?.value") == "colour-words"
        page.value("document.querySelector('#begin details').open = true; document.getElementById('base').focus()")
        page.type(str(tiny_encoder))
        page.picture(pictures / "studio-1-begin.png")
        clear(page)
        press(page, "Begin")
        assert finished(page).startswith("done")
        assert "task classify" in page.value("document.body.innerText"), "the guess is stated"
        clear(page)

        press(page, "Next: colour-words")
        press(page, "The first rows")
        page.until("document.body?.innerText.includes('More rows')")
        clear(page)
        page.open(f"{at.url}/adapters/colour-words")
        clear(page)
        press(page, "Look at the data")
        assert finished(page).startswith("done")
        clear(page)
        page.open(f"{at.url}/adapters/colour-words/check.html")
        assert "colour-words" in page.value("document.body.innerText")
        page.picture(pictures / "studio-2-data.png")
        page.open(check_page(at.studio.project, "colour-words").as_uri())  # where it is served no script runs, nor axe-core's
        assert "colour-words" in page.value("document.body.innerText")
        clear(page)

        page.open(f"{at.url}/adapters/colour-words")
        press(page, "Train and prove")
        page.until("location.pathname.startsWith('/jobs/') && document.querySelector('svg polyline') != null", 60)
        page.open(page.value("location.href"))  # a reload loses nothing
        page.picture(pictures / "studio-3-training.png")
        clear(page)
        assert finished(page).startswith("done"), page.value("document.body.innerText")
        assert page.value("document.querySelector('svg').getAttribute('aria-label')").startswith("loss over steps")
        clear(page)

        press(page, "Next: colour-words")
        page.until("document.body?.innerText.includes('passed')")
        assert "champion" in page.value("document.body.innerText")
        page.picture(pictures / "studio-4-proof.png")
        clear(page)

        press(page, "To the server")
        press(page, "Start")
        page.until("document.querySelector('[role=status]')?.innerText == 'on'", 60)
        page.picture(pictures / "studio-5-server.png")
        clear(page)
        address = page.value("document.querySelector('a.next').href")
        answer = httpx.post(f"{address}v1/classify", json={"model": "colour-words", "input": ["a green bird"]}, timeout=60)
        assert answer.json()["data"][0]["label"] == "green"
        press(page, "Stop")
        page.until("document.querySelector('[role=status]')?.innerText == 'off'")
    assert page.complaints == []


def test_what_is_refused_is_said_where_one_looks(chromium, tmp_path):
    page = chromium
    with opened(tmp_path) as at:
        page.open(at.url)
        (tmp_path / "model.pkl").write_bytes(b"x")
        choose(page, tmp_path / "model.pkl")
        press(page, "Begin")
        page.until("document.getElementById('alert')?.innerText.includes('not read here')")
        page.open(f"{at.url}/config")
        page.value("document.getElementById('text').focus()")
        page.type("base: [")
        press(page, "Keep")
        page.until("document.getElementById('alert')?.innerText.includes('not valid YAML')")
        assert page.value("document.getElementById('text').value") == "base: [", "nothing that was typed is lost"
        assert not (tmp_path / "hatrack.yaml").exists()


@pytest.mark.parametrize(("width", "dark"), [(1200, True), (360, False)])
def test_pages_fit_narrow_screens_and_dark_ones_and_the_keyboard_reaches_everything(chromium, make_project, width, dark):
    page = chromium
    root = make_project()
    with opened(root) as at:
        page.look(width, dark=dark)
        for path in (
            "/",
            "/adapters/first",
            "/data",
            "/data?of=first&file=data.jsonl",
            "/runs",
            "/knowledge",
            "/tables",
            "/watch",
            "/keys",
            "/serving",
            "/config",
        ):
            page.open(at.url + path)
            fits(page, width)
            clear(page)
            unnamed = (
                "[...document.querySelectorAll('input:not([type=hidden]), textarea, select')].filter(e => !e.labels.length && !e.ariaLabel)"
            )
            assert page.value(f"{unnamed}.length") == 0, "every field has a label"
            paper, ink = page.value("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
            bright = [sum(float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]) for colour in (paper, ink)]
            assert (bright[0] < bright[1]) == dark
        page.open(f"{at.url}/adapters/first")
        seen = []
        for _ in range(20):
            page.press("Tab")
            if page.value("document.activeElement == document.body"):
                break  # behind the last one
            seen.append(page.value("document.activeElement.innerText || document.activeElement.name || ''").strip())
            assert page.value("getComputedStyle(document.activeElement).outlineStyle") != "none", seen[-1]
        assert {"Skip to the content", "Look at the data", "Train and prove", "Compare approaches", "minutes"} <= set(seen)


def test_what_renews_itself_keeps_its_place_and_the_focus(chromium, make_project, tmp_path, monkeypatch):
    page = chromium
    talker = tmp_path / "talker"  # in place of a command: it says much at once, and goes on
    talker.write_text("#!/bin/sh\nseq 0 399\nsleep 60\n")
    talker.chmod(0o755)
    with opened(make_project()) as at:
        page.look(1200)
        with monkeypatch.context() as patch:
            patch.setattr("hatrack.studio.jobs.sys.executable", str(talker))
            job = at.studio.jobs.start("Talk", ())
        page.open(f"{at.url}/jobs/{job.id}")
        page.until("document.getElementById('out')?.innerText.includes('399')")
        renewed = "window.old != document.getElementById('live')"
        page.value("document.getElementById('cancel').focus(); document.getElementById('out').scrollTop = 300")
        page.value("window.old = document.getElementById('live'); 0")
        page.until(renewed)
        assert page.value("document.getElementById('out').scrollTop") == 300
        assert page.value("document.activeElement.id") == "cancel"
        page.value("document.getElementById('out').scrollTop = 1e9; window.old = document.getElementById('live'); 0")
        page.until(renewed)
        assert page.value("(box => box.scrollTop + box.clientHeight >= box.scrollHeight - 4)(document.getElementById('out'))")
        at.studio.jobs.cancel(job)
