"""The page as somebody uses it: a real Chromium, keys of the keyboard, answers that stream."""

from __future__ import annotations

import struct

import pytest

from api_support import answer_of
from browser import CHROMIUM, browser
from hatrack.api.keys import KeyFile
from hatrack.core.chat import Message
from http_server import running

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
PROMPT = "the red apple"
FOCUSED = "(e => e.type == 'checkbox' ? e.value : e.id || e.textContent.trim())(document.activeElement)"
DONE = "document.querySelectorAll('.answer[aria-busy=false]').length"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(chromium, served):
    """Freshly opened; nothing may have been blocked or thrown at the end."""
    chromium.complaints.clear()
    chromium.open("about:blank#")
    chromium.look(1200)
    chromium.open(f"{served.url}/")
    chromium.until("document.querySelectorAll('#who input').length == 4 && !document.getElementById('main').hidden")
    yield chromium
    assert chromium.complaints == []


def tabs_to(page, name, most=12):
    """Press Tab until that has the focus; every stop on the way is visible."""
    seen = []
    for _ in range(most):
        page.press("Tab")
        seen.append(page.value(FOCUSED))
        assert page.value("getComputedStyle(document.activeElement).outlineStyle") != "none", seen[-1]
        if seen[-1] == name:
            return seen
    raise AssertionError(f"{name!r} is not reached: {seen}")


def test_F33_the_base_answers_beside_an_adapter_and_is_the_base_without_one(page, served):
    assert page.value("document.activeElement.id") == "prompt", "one can type at once"
    page.type(PROMPT)
    assert tabs_to(page, "base") == ["base"]
    tabs_to(page, "a")
    tabs_to(page, "legal")
    page.press(" ")
    tabs_to(page, "tokens")
    page.value("document.getElementById('tokens').select()")
    page.type("24")
    page.press("Enter")
    page.until(f"{DONE} == 3")
    shown = dict(
        page.value("[...document.querySelectorAll('article')].map(a => [a.dataset.model, a.querySelector('.answer').textContent])")
    )
    assert list(shown) == ["base", "a", "legal"]
    for name, text in shown.items():
        manifest = served.service.resolve(name)
        prompt = served.service.render(manifest, [Message("user", PROMPT)])
        assert text == answer_of(served.service, manifest, prompt, max_tokens=24)[0], name
    assert len(set(shown.values())) == 3
    identity = page.value("[...document.querySelectorAll('.identity')].map(p => p.textContent)")
    assert identity[0] == f"no adapter, base {served.service.files.fingerprint[:12]}"
    assert identity[1] == f"a@1.0.0, {served.service.resolve('a').digest[:12]}"


def test_answers_stream_and_can_be_stopped(page, served):
    page.type(PROMPT)
    page.value("document.getElementById('tokens').value = 200")
    page.value(
        "window.growth = []; new MutationObserver(() => growth.push(document.querySelector('.answer').textContent.length))"
        ".observe(document.getElementById('panes'), {childList: true, subtree: true, characterData: true}); 0"
    )
    page.press("Enter")
    page.until("new Set(growth).size > 3")  # other things change in the panes too: lengths are counted, not changes
    assert page.value("document.querySelector('.answer').getAttribute('aria-live')") == "polite"
    if page.value("!document.getElementById('stop').disabled"):
        page.value("document.getElementById('stop').click()")
    page.until(f"{DONE} == 2 && document.getElementById('stop').disabled")
    assert served.alone(), "the server stops too"
    lengths = page.value("[...new Set(growth)]")
    assert lengths == sorted(lengths)
    assert len(lengths) > 3, "piece by piece"


def test_what_a_model_says_is_text_and_a_refusal_is_read(page):
    page.value(
        "window.fetch = async () => new Response('data: ' + JSON.stringify({choices: [{delta: {content: '<img src=x onerror=alert(1)>'},"
        " finish_reason: 'stop'}]}) + '\\n\\ndata: [DONE]\\n\\n', {headers: {'X-Hatrack-Adapter': '<b>a</b>', 'X-Hatrack-Version': '1',"
        " 'X-Hatrack-Digest': 'd'}}); 0"
    )
    page.type(PROMPT)
    page.press("Enter")
    page.until(f"{DONE} == 2")
    assert page.value("document.querySelector('.answer').textContent") == "<img src=x onerror=alert(1)>"
    assert page.value("document.querySelectorAll('#panes img, #panes b').length") == 0
    page.value('window.fetch = async () => new Response(\'{"error": {"message": "too <b>many</b>"}}\', {status: 429}); 0')
    page.press("Enter")
    page.until("document.querySelectorAll('.failed').length == 2")
    assert page.value("document.querySelector('.failed').textContent") == "too <b>many</b>"


def test_the_policy_stops_a_script_that_gets_in_nevertheless(page):
    page.value("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.broken = 1\">'); 0")
    page.until("1")
    page.value("new Promise(done => setTimeout(done, 200))")
    assert page.value("window.broken === undefined")
    assert any("Content Security Policy" in text for text in page.complaints)
    page.complaints.clear()


def test_the_router_is_tried_with_the_keyboard(page):
    tabs_to(page, "text", 30)
    page.type("which of you is it?")
    page.press("Enter")
    page.until("document.getElementById('decision').textContent.includes('would answer')")
    assert page.value("document.querySelector('#decision strong').textContent") == "base"


def test_F32_a_key_is_asked_for_and_kept_in_this_tab_only(chromium, planted, served, tmp_path):
    file = KeyFile(tmp_path / "keys.json")
    key, _ = file.make("law", ["use:legal"])
    with running(planted, service=served.service, keys=file.path) as server:
        chromium.open(f"{server.url}/")
        chromium.until("document.activeElement.id == 'key'")
        assert chromium.value("document.getElementById('main').hidden")
        chromium.type("hat_wrong")
        chromium.press("Enter")
        chromium.until("document.getElementById('alert').textContent.includes('valid key')")
        late = "new Promise(done => { document.body.addEventListener('htmx:responseError', () => setTimeout(done, 50)); "
        chromium.value(late + "htmx.trigger(document.body, 'key') })")  # a request that had waited, sent without any key
        assert "valid key" in chromium.value("document.getElementById('alert').textContent"), "the reason stays in sight"
        chromium.type(key)
        chromium.press("Enter")
        chromium.until("!document.getElementById('main').hidden && document.querySelectorAll('#who input').length == 1")
        chromium.until("document.activeElement.id == 'prompt'")
        chromium.until("document.getElementById('trial').textContent.includes('tenant of your key: law')")
        chromium.type(PROMPT)
        chromium.press("Enter")
        chromium.until(f"{DONE} == 1 && document.querySelector('.answer').textContent")
        assert chromium.value("[JSON.stringify(localStorage), document.cookie]") == ["{}", ""]
        assert chromium.value("sessionStorage.getItem('hatrack.key')") == key
        assert key not in chromium.value("document.documentElement.outerHTML + location.href")
        chromium.value("document.getElementById('forget').click()")
        chromium.until("document.activeElement.id == 'key'")
        assert not chromium.value("JSON.stringify(sessionStorage)").count(key)
        assert chromium.value("document.querySelectorAll('#who *, article').length") == 0


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (360, False)])
def test_it_looks_right_in_light_and_dark_wide_and_narrow(page, tmp_path, width, dark):
    page.look(width, dark=dark)
    page.type(PROMPT)
    page.press("Enter")
    page.until(f"{DONE} == 2")
    picture = page.picture(tmp_path / "page.png")
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">I", picture[16:20])[0] == width
    assert page.value("document.documentElement.scrollWidth") <= width, "nothing sticks out"
    lefts = page.value("[...document.querySelectorAll('article')].map(a => a.getBoundingClientRect().left)")
    assert (lefts[0] < lefts[1]) == (width > 500), "side by side where there is room, below each other where not"
    paper, ink = page.value("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert (brightness(paper) < brightness(ink)) == dark


def brightness(colour):
    return sum(float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3])


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_barrier(page, dark):
    page.look(1200, dark=dark)
    page.type(PROMPT)
    page.press("Enter")
    page.until(f"{DONE} > 0")
    assert page.barriers() == []
