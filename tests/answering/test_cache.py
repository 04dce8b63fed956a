"""Kept answers: exact, bounded, shared, and never in a request's way."""

import logging
import sqlite3
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

from hatrack.answering.cache import AnswerCache
from hatrack.answering.kept import KeptAnswer, Near
from hatrack.core.errors import StorageError
from hatrack.serving.request import TokenChoice

ANSWER = KeptAnswer("forty-two", (TokenChoice(7, -0.5, ((7, -0.5), (8, -1.5))), TokenChoice(9, 0.0)), "stop", 5, 2)


@pytest.fixture
def make(tmp_path):
    opened = []

    def make(name="answers.db", **settings):
        cache = AnswerCache(tmp_path / "cache" / name, **{"ttl": 100, "max_bytes": 1e6, **settings})
        opened.append(cache)
        return cache

    yield make
    for cache in opened:
        cache.close()


def kept(cache, key, answer=ANSWER, **about):
    cache.put(key, answer, **{"tenant": "", "digest": "d", **about})
    cache.flush()


def text(size):
    return KeptAnswer("x" * size, (), "stop", 1, 1)


def test_an_answer_comes_back_whole_also_from_another_process(make, tmp_path):
    cache = make()
    assert cache.get("k") is None
    kept(cache, "k")
    assert cache.get("k").answer == ANSWER
    code = (
        "import sys, pathlib; from hatrack.answering.cache import AnswerCache;"
        "print(AnswerCache(pathlib.Path(sys.argv[1]), ttl=100, max_bytes=1e6).get('k').answer.text)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "cache" / "answers.db")], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "forty-two"
    assert (cache.figures().hits, cache.figures().misses, cache.figures().answers) == (1, 1, 1)


def test_after_its_time_an_answer_is_not_given_and_not_kept(make):
    clock = [1000.0]
    cache = make(now=lambda: clock[0])
    kept(cache, "old")
    clock[0] += 99
    assert cache.get("old")
    clock[0] += 2
    assert cache.get("old") is None
    kept(cache, "new")
    assert cache.figures().answers == 1


def test_what_is_longest_unused_makes_room(make):
    clock = [0.0]
    cache = make(max_bytes=3 * 1400, now=lambda: clock[0])
    for key in ("a", "b", "c"):
        clock[0] += 1
        kept(cache, key, text(1000))
    clock[0] += 1
    assert cache.get("a")
    cache.flush()
    kept(cache, "d", text(1000))
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]
    assert cache.figures().bytes <= 3 * 1400
    kept(cache, "huge", text(9000))
    assert cache.get("huge") is None
    assert cache.get("d"), "what could never fit throws nothing out"


def test_hits_are_counted_in_the_file(make, tmp_path):
    cache = make()
    kept(cache, "k")
    for _ in range(3):
        cache.get("k")
    cache.flush()
    assert sqlite3.connect(tmp_path / "cache" / "answers.db").execute("select hits from answers").fetchone() == (3,)


def test_answers_can_be_forgotten_by_tenant_and_by_version(make):
    cache = make()
    for key, tenant, digest in (("1", "a", "x"), ("2", "b", "x"), ("3", "b", "y")):
        kept(cache, key, tenant=tenant, digest=digest)
    cache.clear(tenant="b", digest="x")
    assert [key for key in "123" if cache.get(key)] == ["1", "3"]
    cache.clear()
    assert cache.figures().answers == 0
    assert cache.figures().bytes == 0


def test_another_wording_needs_the_same_words_and_a_near_vector(make):
    cache = make()
    one = Near("words", np.array([1, 0], np.float32), 0.95)
    kept(cache, "k", near=one)
    assert cache.get("other", Near("words", np.array([0.96, 0.28], np.float32), 0.95)).near
    assert cache.get("other", Near("words", np.array([0.9, 0.436], np.float32), 0.95)) is None
    assert cache.get("other", Near("words!", np.array([1, 0], np.float32), 0.95)) is None
    assert not cache.get("k", one).near
    assert cache.figures().near_hits == 1


def test_threads_share_it(make):
    cache = make(max_bytes=50_000)
    errors = []

    def work(seed):
        try:
            for i in range(60):
                key = f"{seed}-{i % 20}"
                cache.put(key, text(i), tenant="", digest="d")
                found = cache.get(key)
                assert found is None or set(found.answer.text) <= {"x"}
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.flush()
    assert not errors
    with sqlite3.connect(cache._path) as connection:
        assert connection.execute("select sum(size) from answers").fetchone() == connection.execute("select bytes from total").fetchone()


def test_nobody_else_may_read_the_file(make, tmp_path):
    make()
    assert stat.S_IMODE((tmp_path / "cache" / "answers.db").stat().st_mode) == 0o600


def works_without(cache, caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            kept(cache, "k2")
            cache.get("k2")
    return [record for record in caplog.records if record.name == "hatrack.answering.cache"]


def test_a_damaged_file_is_one_warning(make, tmp_path, caplog):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "answers.db").write_bytes(b"no database at all" * 100)
    cache = make()
    assert len(works_without(cache, caplog)) == 1
    assert cache.get("k2") is None
    assert cache.figures().answers == 0


def test_damage_that_comes_later_is_one_warning_and_no_wrong_answer(make, tmp_path, caplog):
    cache = make()
    kept(cache, "k")
    kept(cache, "other", text(5))
    with sqlite3.connect(tmp_path / "cache" / "answers.db") as connection:
        connection.execute("update answers set (value, seal) = (select value, seal from answers where key = 'other') where key = 'k'")
    assert cache.get("k") is None, "an answer is bound to its request"
    assert len(works_without(cache, caplog)) == 1


def test_a_locked_file_is_one_warning_and_holds_nobody_up(make, tmp_path, caplog):
    cache = make()
    kept(cache, "k")
    cache._writing.execute("PRAGMA busy_timeout = 50")
    with sqlite3.connect(tmp_path / "cache" / "answers.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert cache.get("k"), "readers do not wait for a writer"
        assert len(works_without(cache, caplog)) == 1
        with pytest.raises(StorageError):
            cache.clear()
    other.close()
    kept(cache, "k3")
    assert cache.get("k3"), "it goes on when the lock is gone"


def test_a_full_disk_is_one_warning(make, caplog):
    cache = make()
    pages = cache._writing.execute("PRAGMA page_count").fetchone()[0]
    cache._writing.execute(f"PRAGMA max_page_count = {pages}")
    with caplog.at_level(logging.WARNING):
        for key in ("a", "b"):
            kept(cache, key, text(50_000))
    assert [record.name for record in caplog.records] == ["hatrack.answering.cache"]
    assert "full" in caplog.text
    assert cache.get("a") is None


def test_a_folder_that_cannot_be_made_is_one_warning(tmp_path, caplog):
    (tmp_path / "cache").write_text("a file is in the way")
    cache = AnswerCache(tmp_path / "cache" / "answers.db", ttl=1, max_bytes=1e6)
    assert cache.get("k") is None
    kept(cache, "k")
    cache.close()
    assert len(caplog.records) == 1


def test_after_closing_nothing_fails(make):
    cache = make()
    cache.close()
    cache.put("k", ANSWER, tenant="", digest="d")
    assert cache.get("k") is None
