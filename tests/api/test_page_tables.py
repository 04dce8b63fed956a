"""Tables on the page: a form for one row, its reasons as bars, what counts in all rows; over HTTP and in a real Chromium."""

from __future__ import annotations

import re

import pytest

from browser import CHROMIUM, browser
from hatrack.api.keys import KeyFile
from hatrack.api.web.table_views import bars_of
from http_server import running
from made_tables import loan_rows

ROW = {"amount": "8000", "income": "1000", "purpose": "travel", "since": "2025-03-04", "sex": "f"}


@pytest.fixture(scope="module")
def place(make_place):
    return make_place()


@pytest.fixture(scope="module")
def server(place):
    with running(place) as server:
        yield server


@pytest.fixture
def http(server):
    with server.client() as client:
        yield client


def test_a_table_is_shown_with_its_score_a_field_for_each_column_and_what_counts(http):
    text = http.get("/web/tables").text
    assert "loans@1.0.0" in text
    assert "xgboost model of late (no or yes); roc_auc 0." in text
    assert set(re.findall(r' name="(\w+)"', text)) == set(ROW)
    assert "<option>travel</option>" in text, "few levels are there to choose from"
    bars = dict(re.findall(r'class="words">(\w+)</th><td class="number">([\d.]+)<', text))
    assert set(bars) == set(ROW)
    assert next(iter(bars)) in ("amount", "purpose"), "the largest first"
    assert list(map(float, bars.values())) == sorted(map(float, bars.values()), reverse=True)


def test_a_row_gets_the_score_and_the_reasons_of_the_api(http):
    (told,) = http.post("/v1/tables/loans/explain", json={"rows": [ROW]}).json()["explanations"]
    got = http.post("/web/tables/loans/explain", data=ROW)
    assert got.status_code == 200
    assert f"Probability of yes {told['probability']:.3f}" in got.text
    for reason in told["reasons"]:
        value = re.escape(format(reason["contribution"], "+.3f"))
        assert re.search(rf"{reason['column']} = [^<]+</th><td class=.number.>{value}<", got.text)
    assert got.headers["x-hatrack-adapter"] == "loans"
    assert got.headers["cache-control"] == "no-store"


def test_an_empty_field_is_a_missing_value_and_a_bad_one_is_named(http):
    assert http.post("/web/tables/loans/explain", data={**ROW, "income": ""}).status_code == 200
    bad = http.post("/web/tables/loans/explain", data={**ROW, "amount": "much"})
    assert bad.status_code == 400
    assert "amount: " in bad.json()["error"]["message"]
    assert "'much'" in bad.json()["error"]["message"]
    gone = http.post("/web/tables/loans/explain", data={"amount": "1"})
    assert gone.status_code == 400
    assert "income" in gone.json()["error"]["message"]
    assert http.post("/web/tables/laons/explain", data=ROW).status_code == 404
    assert http.post("/web/tables/loans/explain", content=b"\xff\xfe").status_code in (200, 400)


def test_what_a_cell_says_is_escaped(http):
    got = http.post("/web/tables/loans/explain", data={**ROW, "purpose": "<b>boat</b>"})
    assert "<b>" not in got.text
    assert "&lt;b&gt;boat" in got.text


def test_F32_a_key_sees_its_own_tables_only(place, server):
    keys = KeyFile(place / "keys.json")
    other, own = (keys.make(name, [scope])[0] for name, scope in (("other", "use:talk"), ("own", "use:loans")))
    with running(place, service=server.service, keys=keys.path) as guarded:
        with guarded.client() as client:
            assert client.get("/web/tables").status_code == 401
        with guarded.client(other) as client:
            assert client.get("/web/tables").text.strip() == ""
            assert client.post("/web/tables/loans/explain", data=ROW).status_code == 403
        with guarded.client(own) as client:
            assert "loans@" in client.get("/web/tables").text


def test_bars_are_cut_by_size_and_the_rest_is_one_bar():
    bars = bars_of({f"c{i}": float((-1) ** i * i) for i in range(20)})
    assert [bar.label for bar in bars[:2]] == ["c19", "c18"]
    assert (bars[0].share, bars[1].share) == (-1.0, 18 / 19)
    assert bars[-1].label == "8 other columns"
    assert bars[-1].value == sum((-1) ** i * i for i in range(8))
    assert bars_of({"flat": 0.0})[0].share == 0.0
    assert bars_of({}) == ()


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (360, True)])
def test_somebody_fills_in_a_row_with_the_keyboard_and_sees_why(server, tmp_path, width, dark):
    with browser(tmp_path / "profile") as page:
        page.look(width, dark=dark)
        page.open(f"{server.url}/")
        page.until("document.querySelectorAll('#tables input, #tables select').length == 5 && !document.getElementById('main').hidden")
        page.value("document.querySelector('#tables input').focus()")
        names = page.value("[...document.querySelectorAll('#tables input, #tables select')].map(e => e.name)")
        for name in names:
            assert page.value("document.activeElement.name") == name
            page.type(str(ROW[name])) if name not in ("purpose", "sex") else page.value(f"document.activeElement.value = {ROW[name]!r}")
            page.press("Tab")
        page.press("Enter")  # the button has the focus
        page.until("document.querySelectorAll('#tables [id^=reasons] rect').length == 5")
        assert page.value("document.querySelector('#tables [id^=reasons] strong').textContent") == "yes"
        lengths = page.value("[...document.querySelectorAll('#tables [id^=reasons] rect')].map(e => e.getBoundingClientRect().width)")
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[0] == pytest.approx(100, abs=1)
        assert page.value("document.documentElement.scrollWidth") <= width, "nothing sticks out"
        assert page.value("getComputedStyle(document.querySelector('nav a[href=\"#tables\"]')).display") != "none"
        page.picture(tmp_path / "tables.png")
        assert page.complaints == []


def test_there_is_no_link_to_tables_where_none_is(chromium_of, served):
    page = chromium_of
    page.open(f"{served.url}/")
    page.until("document.querySelectorAll('#who input').length == 4 && !document.getElementById('main').hidden")
    assert page.value("getComputedStyle(document.querySelector('nav a[href=\"#tables\"]')).display") == "none"


@pytest.fixture
def chromium_of(tmp_path):
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    with browser(tmp_path / "profile") as page:
        yield page


def test_the_rows_of_the_test_are_those_of_the_table():
    assert set(ROW) == set(loan_rows(1)[0]) - {"late", "loan_id"}
