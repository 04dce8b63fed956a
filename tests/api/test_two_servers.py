"""Two `hatrack serve` processes on one registry in PostgreSQL and S3: what one promotes, the other answers with."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

import httpx
import yaml

from hatrack.core.project import Project
from hatrack.registry.database import Database
from hatrack.registry.migrate import upgrade
from hatrack.registry.place import own_place
from hatrack.registry.store import Registry
from served_adapters import plant, project_of
from shared_places import bucket, new_database, s3_address

ASK = {"model": "a", "messages": [{"role": "user", "content": "the red river"}], "max_tokens": 4, "temperature": 0}


@contextlib.contextmanager
def served(root):
    command = [sys.executable, "-m", "hatrack", "serve", "--port", "0", "--precision", "fp32", "--project", str(root)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = server.stdout.readline().split()
        yield httpx.Client(base_url=address[1], timeout=60)
    finally:
        server.terminate()
        server.wait(30)


def answered_by(client):
    got = client.post("/chat/completions", json=ASK)
    assert got.status_code == 200, got.text
    return got.headers["x-hatrack-version"], got.json()["choices"][0]["message"]["content"]


def test_a_promotion_at_one_server_is_seen_by_the_other_without_a_restart(tmp_path, tiny_causal):
    place = {"database": new_database(), "blobs": f"s3://{bucket()}", "endpoint": s3_address(), "refresh_seconds": 0.2}
    roots = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        root = project_of(tmp_path / name, tiny_causal)
        config = yaml.safe_load((root / "hatrack.yaml").read_text()) | {"registry": place}
        (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
        roots.append(root)
    upgrade(Database(own_place(Project(roots[0]))))
    for seed in (1, 2):
        plant(roots[0], tiny_causal, "a", seed)
    with served(roots[0]) as one, served(roots[1]) as two:
        admin = httpx.Client(base_url=str(one.base_url).replace("/v1", ""), timeout=60)
        said = {}
        for version in ("1.0.0", "1.0.1", "1.0.0"):
            promoted = admin.post(f"/admin/adapters/a@{version}/promote", json={"override": "a try"})
            assert promoted.status_code == 200, promoted.text
            time.sleep(0.3)  # refresh_seconds and a little
            answers = answered_by(one), answered_by(two)
            assert answers[0] == answers[1]
            assert answers[0][0] == version
            said[version] = answers[0][1]
        assert said["1.0.0"] != said["1.0.1"]
    registry = Registry(Project(roots[1]))
    assert [event.action for event in registry.log("a")] == ["register"] * 2 + ["promote with override"] * 3
