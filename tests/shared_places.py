"""Where shared registries of the tests are: a real PostgreSQL server out of the wheel pgserver, and an S3 server on loopback."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import yaml

from hatrack.core.project import Project
from hatrack.registry.database import Database
from hatrack.registry.migrate import upgrade
from hatrack.registry.place import own_place
from s3_server import s3_server

__all__ = ["bucket", "cut_off", "new_database", "s3_address", "shared_project", "spoil_object", "write_config"]


@functools.cache
def _postgres() -> str:
    """One server for all tests of this process: the folder of its socket."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pgserver

        server = pgserver.get_server(Path(tempfile.mkdtemp(prefix="hatrack-pg-")) / "pg")
    atexit.register(server.cleanup)
    return parse_qs(urlsplit(server.get_uri()).query)["host"][0]


def new_database() -> str:
    """A database of its own, as a URL for the config."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(f"postgresql://postgres@/postgres?host={_postgres()}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://postgres@/{name}?host={_postgres()}"


@functools.cache
def s3_address() -> str:
    """An S3 server for all tests of this process; keys for it are set in the environment."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "key-of-the-test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
    named, program = os.environ.get("HATRACK_TEST_S3"), shutil.which("moto_server")
    if named:
        return named
    if program is None:
        server = s3_server()
        url = server.__enter__()
        atexit.register(server.__exit__, None, None, None)
        return url
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    moto = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(moto.kill)
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        with contextlib.suppress(httpx.TransportError):
            httpx.get(url)
            return url
        time.sleep(0.1)
    raise RuntimeError("moto_server does not answer")


def bucket() -> str:
    """A new bucket, by name."""
    name = f"b{uuid.uuid4().hex}"
    httpx.put(f"{s3_address()}/{name}").raise_for_status()
    return name


def spoil_object(blobs: str, digest: str, content: bytes | None) -> None:
    """Put other bytes under the name of a blob in a bucket, or remove it, past the store."""
    from obstore.store import S3Store

    name, _, prefix = blobs.removeprefix("s3://").partition("/")
    store = S3Store(
        name,
        prefix=prefix or None,
        endpoint=s3_address(),
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    key = f"{digest[:2]}/{digest}"
    store.delete([key]) if content is None else store.put(key, content)


def write_config(root: Path, **registry: Any) -> Path:
    """A project whose config names a registry."""
    root.mkdir(parents=True, exist_ok=True)
    config = {"adapters": {"legal": {"data": "data.jsonl", "task": "instruct"}}, "registry": registry}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return root


def shared_project(root: Path, **changes: Any) -> Path:
    """A project on a registry in PostgreSQL and S3 that was just set up."""
    made = {"database": new_database(), "blobs": f"s3://{bucket()}/team/one", "endpoint": s3_address(), "refresh_seconds": 0}
    write_config(root, **{**made, **changes})
    upgrade(Database(own_place(Project(root))))
    return root


@contextlib.contextmanager
def cut_off(database: str) -> Iterator[tuple[str, Callable[[bytes, bool], None]]]:
    """The same database through a wire that can be cut: ``cut(words, after)`` lets it break when a client says ``words``,
    before the server hears them or, with ``after``, when it has and before its answer comes back.
    """
    target = f"{parse_qs(urlsplit(database).query)['host'][0]}/.s.PGSQL.5432"
    plan: dict[str, Any] = {"words": None, "after": False}
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket, other: threading.Event, said: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if said and plan["words"] and plan["words"] in data:
                    plan["words"] = None
                    other.set()  # nothing that the server says from now on comes back
                    if plan["after"]:
                        sink.sendall(data)
                        time.sleep(0.3)
                    break
                if not said and other.is_set():
                    continue
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(target)
                dead = threading.Event()
                threading.Thread(target=pump, args=(client, server, dead, True), daemon=True).start()
                threading.Thread(target=pump, args=(server, client, dead, False), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()

    def cut(words: bytes, after: bool) -> None:
        plan.update(words=words, after=after)

    port = listener.getsockname()[1]
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}{urlsplit(database).path}?sslmode=disable&gssencmode=disable", cut
    finally:
        listener.close()
