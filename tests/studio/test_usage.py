"""What keys have used: counted from the lines of a real server's log, the last minute apart from all."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from hatrack.studio.usage import Usage, Used
from projects import copy_of, trained_encoder
from studio_server import opened


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def line(**fields):
    return json.dumps({"event": "request", "status": 200, "key": "ana", "prompt_tokens": 7, "completion_tokens": 3, **fields}) + "\n"


def test_the_last_minute_is_counted_apart_from_all():
    clock = Clock()
    usage = Usage(clock)
    usage.hear(line())
    clock.now = 50.0
    usage.hear(line(completion_tokens=0))
    assert usage.of("ana") == Used(2, 17, 2, 17)
    clock.now = 70.0
    assert usage.of("ana") == Used(2, 17, 1, 7)
    assert usage.of("bob") == Used()


@pytest.mark.parametrize(
    "other", ["address    http://127.0.0.1:1\n", "{half", line(event="loaded"), line(key=None), line(status=429), '{"key": "ana"}\n']
)
def test_what_is_no_request_within_the_quota_is_passed_over(other):
    usage = Usage()
    usage.hear(other)
    assert usage.of("ana") == Used()


def test_the_page_of_keys_shows_what_was_asked_of_the_studios_server(tiny_encoder, tmp_path):
    with opened(copy_of(trained_encoder(tiny_encoder), tmp_path)) as at:
        made = at.post("/keys/make", name="ana", scopes="use:words", requests_per_minute="30").text
        key = "hat_" + made.partition("hat_")[2].partition("<")[0]
        assert "is counted while the" in at.client.get("/keys").text
        assert at.post("/serving/start").status_code == 204
        end = time.monotonic() + 60
        while at.studio.serving.state != "on":
            assert time.monotonic() < end, at.studio.serving.said
            time.sleep(0.1)
        asked = {"model": "words", "input": ["a green bird"]}
        for sent in (key, key, "hat_wrong"):
            httpx.post(f"{at.studio.serving.facts['page']}v1/classify", json=asked, headers={"Authorization": f"Bearer {sent}"}, timeout=60)
        while at.studio.serving.usage.of("ana").requests < 2:
            assert time.monotonic() < end, at.studio.serving.said
            time.sleep(0.1)
        shown = at.client.get("/keys").text
        assert "2 in the last minute" in shown
        used = at.studio.serving.usage.of("ana")
        assert used.tokens >= 2, "the texts were counted"
        assert f"2 requests<br>{used.tokens} tokens" in shown
