"""Row by row: what can be put beside what, the command behind the button, and the page under the studio's own policy."""

from __future__ import annotations

import shutil

import pytest

from browser import CHROMIUM, browser
from hatrack.studio.beside import pairs_of, rivals_of
from hatrack.studio.guard import REPORT_HEADERS, scripted_headers
from hatrack.studio.views import adapter_view
from projects import copy_of, trained_by_text, trained_encoder
from studio_server import ended, opened


@pytest.fixture(scope="module")
def at(tiny_causal, tmp_path_factory):
    with opened(copy_of(trained_by_text(tiny_causal), tmp_path_factory.mktemp("beside"))) as at:
        yield at


@pytest.fixture(scope="module")
def made(at):
    """The page of a version beside the base, made by the button."""
    answer = at.post("/adapters/colours/beside", version="1.0.0", against="base")
    assert answer.status_code == 204, answer.text
    job = ended(at.studio.jobs, at.studio.jobs.get(int(answer.headers["hx-redirect"].rpartition("/")[2])))
    assert job.state == "done", at.studio.jobs.output(job)
    assert job.line == "hatrack eval colours@1.0.0 --against base --page '.hatrack/studio/pairs/colours@1.0.0~base.html'"
    return "/adapters/colours/beside/1.0.0/base"


def test_the_adapters_page_offers_it_and_leads_to_what_was_made(at, made):
    shown = at.client.get("/adapters/colours").text
    assert 'hx-post="/adapters/colours/beside"' in shown
    assert "<option selected>base</option>" in shown
    assert f'href="{made}"' in shown
    answer = at.client.get(made)
    assert "colours@1.0.0 against base" in answer.text
    [pair] = pairs_of(at.studio.project, "colours")
    assert (pair.version, pair.against) == ("1.0.0", "base")


def test_its_own_script_runs_and_no_other(at, made):
    policy = at.client.get(made).headers["content-security-policy"]
    assert "script-src 'sha256-" in policy
    assert policy.endswith("sandbox allow-scripts allow-downloads")
    assert policy.startswith("default-src 'none'")
    named = b"script-src 'sha256-" + b"A" * 43 + b"='"
    for page in (b"<head><title>" + named + b"</title>", named):
        assert scripted_headers(page) == REPORT_HEADERS, "what stands in the data of a page allows nothing"


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
def test_rows_are_filtered_and_opened_in_a_browser(at, made, tmp_path):
    with browser(tmp_path / "profile") as page:
        page.open(at.url + made)
        count = "document.getElementById('count').textContent"
        total = page.value("rows.length")
        page.value("differing.click()")
        assert page.value(count) == f"{total} of {total} rows"
        page.value("document.querySelector('#body button').click()")
        assert page.value("drawer.open && document.getElementById('d-expected').textContent") in ("red", "green", "blue")
        page.value("document.getElementById('close').click()")
        assert page.barriers() == []
        page.open(f"{at.url}/adapters/colours")
        assert page.barriers() == []
        assert page.complaints == []


@pytest.mark.parametrize(
    ("version", "against"), [("1.0.0", "1.0.0"), ("base", "1.0.0"), ("1.0.0", "9.9.9"), ("1.0.0", "../x"), ("", "base")]
)
def test_what_is_not_there_is_put_beside_nothing(at, version, against):
    answer = at.post("/adapters/colours/beside", version=version, against=against)
    assert answer.status_code == 409
    assert "two of base, 1.0.0" in answer.text


@pytest.mark.parametrize("path", ["colours/beside/1.0.0/2.0.0", "colours/beside/..%2f..%2f1.0.0/base", "nobody/beside/1.0.0/base"])
def test_a_page_that_was_not_made_is_404(at, made, path):
    assert at.client.get(f"/adapters/{path}").status_code == 404


def test_an_encoder_alone_gives_no_answers_and_is_not_offered(tiny_encoder, tmp_path):
    root = copy_of(trained_encoder(tiny_encoder), tmp_path)
    with opened(root) as at:
        assert rivals_of(adapter_view(at.studio.project, "words")) == [], "one version, and a base that cannot answer"
        assert "Row by row" not in at.client.get("/adapters/words").text
        refused = at.post("/adapters/words/beside", version="1.0.0", against="base")
        assert (refused.status_code, "a version beside another" in refused.text) == (409, True)
    shutil.rmtree(root)
