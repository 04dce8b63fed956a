"""Keys, scopes, tenants, quotas: who may come in, and how often."""

from __future__ import annotations

import hashlib
import json
import os
import stat

import pytest

from hatrack.api.gate import OPEN_PATHS, is_loopback
from hatrack.api.keys import Caller, KeyFile, KeyRing
from hatrack.api.quota import Bucket
from hatrack.core.config_http import KeyEntry
from hatrack.core.errors import ConfigError
from http_server import running


@pytest.fixture(scope="module")
def guarded(planted, served, tmp_path_factory):
    """The same service behind keys."""
    file = KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")
    made = {
        "all": file.make("all", ["use:*"])[0],
        "legal": file.make("legal", ["use:legal"], tenant="law")[0],
        "admin": file.make("admin", ["admin"])[0],
        "metrics": file.make("metrics", ["metrics"])[0],
        "slow": file.make("slow", ["use:*"], requests_per_minute=2)[0],
        "short": file.make("short", ["use:*"], tokens_per_minute=80)[0],
    }
    with running(planted, service=served.service, keys=file.path) as server:
        server.made = made
        yield server


def routes(app):
    """Every route of the application, with what stands in for its parameters."""
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), path.replace("{model}", "a").replace("{reference}", "a").replace("{name}", "a")
    yield "GET", "/openapi.json"


def test_F32_every_route_but_health_and_the_files_of_the_page_asks_for_a_key_with_a_scope(guarded):
    walked = list(routes(guarded.app))
    assert len(walked) > 14
    ours = {route.path.replace(":path", "") for router in _routers() for route in router.routes}
    assert set(guarded.app.openapi()["paths"]) == ours, "a route is hidden from this test"
    wrong = {"/admin": "all", "/metrics": "all", "/v1": "admin", "/web/who": "admin", "/openapi.json": "metrics"}
    with guarded.client() as client:
        for method, path in [*walked, ("GET", "/nothing"), ("POST", "/v1/nothing"), ("GET", "//admin/adapters"), ("GET", "/admin")]:
            for headers in ({}, {"Authorization": "Bearer hat_wrong"}):
                got = client.request(method, path, headers=headers)
                assert (got.status_code == 401) == (path not in OPEN_PATHS), (method, path, got.status_code)
            for name in (name for start, name in wrong.items() if path.startswith(start)):
                got = client.request(method, path, headers={"Authorization": f"Bearer {guarded.made[name]}"})
                assert got.status_code == 403, (method, path)
    page = {"/", "/web/page.css", "/web/page.js", "/web/htmx.min.js", "/web/icon.svg"}  # which tell nothing of this server
    assert {"/healthz", "/readyz"} | page == OPEN_PATHS


def _routers():
    from hatrack.api.routes import admin, chat, completions, health, models, responses, tables, texts
    from hatrack.api.web import page

    return [room.router for room in (admin, chat, completions, health, models, responses, tables, texts, page)]


def test_keys_are_taken_from_the_header_only_and_in_its_one_form(guarded, ask):
    key = guarded.made["all"]
    with guarded.client() as client:
        for headers in ({"Authorization": key}, {"Authorization": f"Basic {key}"}, {"Authorization": "Bearer"}, {"X-Api-Key": key}):
            assert client.post("/v1/chat/completions", json=ask(), headers=headers).status_code == 401
        assert client.post(f"/v1/chat/completions?api_key={key}", json=ask()).status_code == 401
        got = client.post("/v1/chat/completions", json=ask(), headers={"Authorization": f"bearer {key}"})
        assert got.status_code == 200
        refused = client.get("/v1/models")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.json()["error"]["code"] == "invalid_api_key"


def test_F23_a_forbidden_adapter_is_403_and_an_unknown_one_404(guarded, ask):
    with guarded.client(guarded.made["legal"]) as client:
        assert client.post("/v1/chat/completions", json=ask("legal")).status_code == 200
        for name in ("a", "a@1.0.0", "base"):
            got = client.post("/v1/chat/completions", json=ask(name))
            assert got.status_code == 403
            assert got.json()["error"]["code"] == "model_not_allowed"
        unknown = client.post("/v1/chat/completions", json=ask("lgal"))
        assert unknown.status_code == 404
        assert "did you mean legal?" in unknown.json()["error"]["message"]
        assert "allowed: legal;" in unknown.json()["error"]["message"], "names of others' adapters are not told"
        assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["auto", "legal", "legal@1.0.0"]
        assert client.get("/v1/models/a").status_code == 403


def test_the_tenant_of_the_key_goes_to_the_service(guarded, ask, monkeypatch):
    seen = []
    real = guarded.service.submit
    monkeypatch.setattr(guarded.service, "submit", lambda *given: seen.append(given[4]) or real(*given))
    for name in ("legal", "all"):
        with guarded.client(guarded.made[name]) as client:
            assert client.post("/v1/chat/completions", json=ask("legal")).status_code == 200
    assert seen == ["law", "all"]


def test_too_many_requests_are_429_with_a_time(guarded, ask):
    with guarded.client(guarded.made["slow"]) as client:
        codes = [client.post("/v1/chat/completions", json=ask(max_tokens=1)).status_code for _ in range(2)]
        assert codes == [200, 200]
        got = client.post("/v1/chat/completions", json=ask(max_tokens=1))
        assert got.status_code == 429
        assert 20 <= int(got.headers["retry-after"]) <= 30
        assert client.get("/v1/models").status_code == 200, "only questions count"


def test_tokens_are_reserved_and_what_was_not_used_comes_back(guarded, ask):
    with guarded.client(guarded.made["short"]) as client:
        too_long = client.post("/v1/chat/completions", json=ask(max_tokens=100))
        assert too_long.status_code == 400
        assert "80 tokens a minute" in too_long.json()["error"]["message"]
        stop = {"response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": [1]}}}}
        for _ in range(2):  # each reserves about 50 and uses about 20
            got = client.post("/v1/chat/completions", json=ask(max_tokens=30, **stop))
            assert got.status_code == 200, got.text
        got = client.post("/v1/chat/completions", json=ask(max_tokens=30))
        assert got.status_code == 429
        assert got.json()["error"]["type"] == "rate_limit_error"
        assert int(got.headers["retry-after"]) > 1


def test_a_revoked_key_is_refused_at_once_and_a_new_one_works_at_once(guarded):
    key, _ = guarded.keys.make("brief", ["use:*"])
    with guarded.client(key) as client:
        assert client.get("/v1/models").status_code == 200
        guarded.keys.revoke("brief")
        assert client.get("/v1/models").status_code == 401


def test_a_damaged_file_of_keys_lets_nobody_in(guarded):
    kept = guarded.keys.path.read_text()
    with guarded.client(guarded.made["all"]) as client:
        guarded.keys.path.write_text(kept[:-20])
        got = client.get("/v1/models")
        assert got.status_code == 500
        assert str(guarded.keys.path) not in got.text, "places on the server's disk are not told"
        guarded.keys.path.write_text(kept)
        assert client.get("/v1/models").status_code == 200


def test_without_keys_only_this_machine_under_its_own_name_is_answered(http):
    assert http.get("/v1/models").status_code == 200
    got = http.get("/v1/models", headers={"Host": "evil.example:8000"})  # a name that was resolved to 127.0.0.1
    assert got.status_code == 403
    assert got.json()["error"]["code"] == "host_not_allowed"
    assert [is_loopback(h) for h in ("localhost:1", "127.0.0.1", "[::1]:8000", "LOCALHOST")] == [True] * 4
    assert not any(is_loopback(h) for h in ("", "evil", "127.0.0.1.evil", "localhost.evil:80", "[::2]:80"))


def test_the_file_holds_digests_and_nobody_else_reads_it(tmp_path):
    file = KeyFile(tmp_path / "keys.json")
    key, entry = file.make("one", ["use:*"])
    assert len(key) > 40
    assert key not in file.path.read_text()
    assert entry.digest == hashlib.sha256(key.encode()).hexdigest()
    assert stat.S_IMODE(os.stat(file.path).st_mode) & 0o077 == 0
    with pytest.raises(ConfigError, match="already"):
        file.make("one")
    file.revoke("one")
    assert file.make("one")[0] != key
    assert [bool(entry.revoked) for entry in file.read()] == [True, False]


def test_a_ring_with_only_revoked_keys_still_asks(tmp_path):
    file = KeyFile(tmp_path / "keys.json")
    assert not KeyRing((), file).required
    file.make("one")
    file.revoke("one")
    ring = KeyRing((), file)
    assert ring.required
    assert ring.caller(None) is None
    assert ring.caller("x") is None


def test_keys_of_the_config_and_what_is_left_of_a_quota_outlive_a_change_of_the_file(tmp_path):
    file = KeyFile(tmp_path / "keys.json")
    entry = KeyEntry(name="c", digest=hashlib.sha256(b"k").hexdigest(), requests_per_minute=5)
    ring = KeyRing((entry,), file)
    ring.caller("k").requests.take(5)
    file.make("other")
    assert ring.caller("k").requests.take(1) > 0
    assert ring.caller("k").tenant == "c"
    assert json.loads(file.path.read_text())["kind"] == "hatrack.keys/1"


def test_a_bucket_fills_evenly_and_never_over():
    clock = iter([0.0, 0.0, 0.0, 30.0, 30.0, 1e6, 1e6])
    bucket = Bucket(60, lambda: next(clock))
    assert bucket.take(60) == 0
    assert bucket.take(10) == pytest.approx(10)
    assert bucket.take(20) == 0
    assert bucket.take(20) == pytest.approx(10)
    assert bucket.take(60) == 0
    bucket.give(100)
    assert bucket.take(61) == pytest.approx(1)


def test_scopes_mean_what_they_say():
    legal = Caller(KeyEntry(name="k", digest="0" * 64, scopes=("use:legal", "metrics")))
    assert legal.may_use("legal")
    assert not legal.may_use("legal-2")
    assert not legal.may_use("base")
    assert legal.may_watch
    assert not legal.may_administer
    for wrong in ("use:", "use:A", "root", "use:*x"):
        with pytest.raises(ValueError, match="is no scope"):
            KeyEntry(name="k", digest="0" * 64, scopes=(wrong,))
