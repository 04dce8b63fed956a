"""Where the stores of the conformance test are: a folder, a server that is started, or one that the environment names.

``HATRACK_TEST_STORE_QDRANT=qdrant://host:6333`` runs the same tests against a real server.

    faiss, qdrant+edge   the real engine, in this process
    postgresql           a real server with pgvector, out of the wheel pgserver
    qdrant, pinecone, weaviate   a server on loopback that speaks its protocol
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

__all__ = ["postgres_url", "store_url"]


@contextlib.contextmanager
def store_url(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a store of this kind, as long as the block runs."""
    named = os.environ.get(f"HATRACK_TEST_STORE_{kind.upper().replace('+', '_')}")
    if named:
        yield named
    elif kind == "postgresql":
        with postgres_url(folder) as url:
            yield url
    elif kind == "qdrant":
        from qdrant_server import qdrant_server

        with qdrant_server() as server:
            yield server.url
    elif kind == "weaviate":
        from weaviate_server import weaviate_server

        with weaviate_server() as server:
            yield server.url
    elif kind == "pinecone":
        from pinecone_server import pinecone_server

        with pinecone_server(16) as server, mock.patch.dict(os.environ, PINECONE_API_KEY="key-of-the-test"):
            yield server.url
    else:
        yield f"{kind}:////{folder}"


@contextlib.contextmanager
def postgres_url(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of its own, with pgvector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pgserver

        folder.mkdir(parents=True, exist_ok=True)
        server = pgserver.get_server(folder / "pg")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
