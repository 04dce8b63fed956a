"""The page's files and fragments, over HTTP: what is open, what is not, what is escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
import yaml

from hatrack.answering.decision import ContentScore, Decision
from hatrack.api.keys import KeyFile
from hatrack.api.web.files import FILES, HERE
from hatrack.api.web.page import _fragment
from hatrack.api.web.views import Choice, VersionRow
from hatrack.core.config_http import HttpSettings
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from http_server import running
from made_versions import report

FRAGMENTS = ("/web/who", "/web/adapters", "/web/trial")


class Elements(HTMLParser):
    """All elements of a page, as (name, attributes)."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def __call__(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def guarded(planted, served, tmp_path_factory):
    file = KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")
    made = {name: file.make(name, scopes)[0] for name, scopes in (("legal", ["use:legal"]), ("owner", ["use:*", "admin"]))}
    with running(planted, service=served.service, keys=file.path) as server:
        server.made = made
        yield server


def test_the_page_needs_nothing_from_elsewhere_and_no_script_within_it(http):
    got = http.get("/")
    assert got.status_code == 200
    assert got.headers["content-type"] == "text/html; charset=utf-8"
    rules = dict(rule.strip().split(" ", 1) for rule in got.headers["content-security-policy"].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    page = Elements(got.text)
    assert all(script["src"] for script in page("script"))
    assert not page("style")
    for _, attributes in page.found:
        assert not [name for name in attributes if name == "style" or name.startswith(("on", "hx-on"))], attributes
        for name in ("src", "href", "hx-get", "hx-post"):
            assert not re.match(r"(?:\w+:|/)", attributes.get(name, "")), "relative, so that it works behind a prefix"
    labelled = {label.get("for") for label in page("label")}
    assert {"prompt", "text", "key"} <= labelled
    assert page("html")[0]["lang"] == "en"


def test_the_vendored_htmx_is_the_one_its_licence_file_names():
    import hashlib

    told = (HERE / "htmx.LICENSE.txt").read_text(encoding="utf-8")
    text = (HERE / "htmx.min.js").read_bytes()
    assert hashlib.sha256(text).hexdigest() in told
    version = re.search(rb'version:"([\d.]+)"', text)[1].decode()
    assert f"htmx.org {version} " in told
    assert "Zero-Clause BSD" in told


def test_F32_the_files_are_open_and_all_that_tells_of_this_server_asks_for_a_key(guarded):
    with guarded.client() as client:
        for path, file in FILES.items():
            got = client.get(path)
            assert (got.status_code, got.headers["content-type"].split(";")[0]) == (200, file.media_type)
            assert "nosniff" in got.headers["x-content-type-options"]
            assert not re.search(rf"\blegal\b|{re.escape(guarded.service.config.base)}", got.text)
        for path in (*FRAGMENTS, "/web/nothing", "/web/page.py", "/web/who.html", "/web/../web/who"):
            assert client.get(path).status_code == 401, path
        assert client.post("/web/route", data={"text": "x"}).status_code == 401


def test_a_key_sees_what_it_may_use_and_figures_only_if_it_may_watch(guarded, ask):
    def texts(name):
        with guarded.client(guarded.made[name]) as client:
            assert client.post("/v1/chat/completions", json=ask("legal")).status_code == 200
            assert guarded.alone()
            got = [client.get(path) for path in FRAGMENTS]
            assert all(one.headers["cache-control"] == "no-store" for one in got)
            return [one.text for one in got]

    who, adapters, trial = texts("legal")
    assert [box["value"] for box in Elements(who)("input")] == ["legal"]
    assert re.findall(r'<th scope="row">(.*?)</th>', adapters) == ["legal"]
    assert "evictions" not in adapters
    assert "<button" not in adapters, "who may use an adapter may not promote it"
    assert "tenant of your key: legal" in trial
    who, adapters, _ = texts("owner")
    assert [box["value"] for box in Elements(who)("input")] == ["base", "a", "b", "legal"]
    assert re.findall(r'<th scope="row">(.*?)</th>', adapters) == ["base", "a", "b", "legal"]
    legal = adapters[adapters.index('<th scope="row">legal') :]
    assert "resident" in legal
    running, answers, first, _ = re.findall(r'<td class="number">(.*?)</td>', legal)
    assert running == "0<br>0"
    assert answers.partition("<br>")[0] == "2", "both answers of this test are counted"
    assert first.endswith(" ms")


def test_versions_aliases_and_scores_are_shown(tmp_path, tiny_causal):
    from served_adapters import plant, project_of

    root = project_of(tmp_path, tiny_causal)
    registry = Registry(Project(root))
    first = plant(root, tiny_causal, "a", 1)
    plant(root, tiny_causal, "a", 2)
    registry.add_report(first, report(first))
    registry.move_alias(first, "champion", "promote", "it is better")
    with running(root) as server, server.client() as client:
        who, adapters = client.get("/web/who").text, client.get("/web/adapters").text
    assert [box["value"] for box in Elements(who)("input")] == ["base", "a", "a@1.0.1", "a@1.0.0"]
    assert [box["value"] for box in Elements(who)("input") if "checked" in box] == ["base", "a"]
    assert "accuracy 0.900" in adapters
    assert "+0.200 (+0.100 to +0.300)" in adapters
    assert adapters.count("not evaluated") == 1
    assert adapters.count(">champion</td>") == 1


def test_lineage_is_shown_and_who_may_administer_can_promote_and_roll_back(tmp_path, tiny_causal):
    from served_adapters import plant, project_of

    root = project_of(tmp_path, tiny_causal)
    registry = Registry(Project(root))
    first, second = plant(root, tiny_causal, "a", 1), plant(root, tiny_causal, "a", 2)
    registry.add_report(first, report(first, metric="token_f1"))
    with running(root) as server, server.client() as client:
        shown = client.get("/web/adapters").text
        assert "after 1.0.0" in shown
        buttons = {one["id"]: one["hx-post"] for one in Elements(shown)("button")}
        assert set(buttons) == {f"promote-{first.digest[:12]}", f"promote-{second.digest[:12]}"}
        refused = client.post("/" + buttons[f"promote-{second.digest[:12]}"])
        assert (refused.status_code, "never evaluated" in refused.text) == (409, True)
        assert client.post("/" + buttons[f"promote-{first.digest[:12]}"]).status_code == 200
        back = {one["id"]: one["hx-post"] for one in Elements(client.get("/web/adapters").text)("button")}
        assert back[f"back-{first.digest[:12]}"] == "admin/adapters/a/rollback"
        assert client.post("/admin/adapters/a/rollback").status_code == 409
    assert registry.aliases("a") == {"champion": "1.0.0"}


def test_the_router_trial_says_who_would_answer_and_why(planted, served, tmp_path):
    config = yaml.safe_load((planted / "hatrack.yaml").read_text())
    config["routing"] = {"rules": [{"when": {"country": "FR", "team": "law"}, "use": "legal"}]}
    root = tmp_path / "routed"
    root.mkdir()
    (root / ".hatrack").symlink_to(planted / ".hatrack")
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    with running(root) as server, server.client() as client:
        fields = Elements(client.get("/web/trial").text)
        assert [field["name"] for field in fields("input")] == ["country", "team"]
        assert {label["for"] for label in fields("label")} == {field["id"] for field in fields("input")}
        got = client.post("/web/route", data={"text": "an <b>offer</b>", "country": "fr", "team": "Law"})
        assert "<strong>legal@1.0.0</strong> would answer" in got.text
        assert "rule 1" in got.text
        got = client.post("/web/route", data={"text": "an offer", "country": "DE", "team": "law"})
        assert "<strong>base</strong> would answer" in got.text
        assert "fallback" in got.text
        assert client.post("/web/route", data={"text": " "}).status_code == 400
        assert client.post("/web/route", content=b"text=\xff\xfe&a").status_code == 400
        assert client.post("/web/route", content=b"text=x" + b"&a=b" * 200).status_code == 400


def test_F23_the_router_trial_refuses_what_a_key_may_not_use(guarded):
    with guarded.client(guarded.made["legal"]) as client:
        got = client.post("/web/route", data={"text": "anything"})
        assert (got.status_code, got.json()["error"]["code"]) == (403, "model_not_allowed"), "the fallback is base, which is not this key's"


def test_everything_in_a_fragment_is_escaped():
    evil = '"><script>alert(1)</script>'
    shown = [
        _fragment("who.html", choices=[Choice(evil, evil, (Choice(evil, evil), Choice(evil, evil)))], kind="causal"),
        _fragment(
            "adapters.html",
            rows=[VersionRow(evil, evil, evil, (evil,), evil, evil, evil, (evil,), "resident")],
            watched=False,
            administers=True,
        ),
        _fragment("trial.html", attributes=[evil], tenant=evil),
        _fragment("decision.html", decision=Decision(None, evil, evil, (ContentScore(evil, 0.1, 0.2),))),
    ]
    for fragment in shown:
        assert b"<script" not in fragment.body.lower()
        assert b"&lt;script&gt;" in fragment.body


def test_a_server_can_do_without_the_page(planted, served):
    with running(planted, service=served.service, http=HttpSettings(log=False, page=False)) as server, server.client() as client:
        assert [client.get(path).status_code for path in (*FILES, *FRAGMENTS)] == [404] * (len(FILES) + len(FRAGMENTS))
