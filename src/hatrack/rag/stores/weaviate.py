"""The ``weaviate`` store: a Weaviate server over plain HTTP, a class for each collection; no client is needed.

/v1/schema          classes and their properties        /v1/batch/objects   put, remove
/v1/graphql         search, vectors, count
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

import numpy as np

from hatrack.core.errors import KnowledgeError, StoreUnreachable
from hatrack.core.extras import require
from hatrack.models.embedders.base import Vectors
from hatrack.rag.filters import Filter
from hatrack.rag.stores.base import Found, Point, StoreURL, wrong_dimension
from hatrack.rag.stores.weaviate_filter import KINDS, asked, graphql, properties, stored, where_of

__all__ = ["WeaviateStore"]

_PORT, _SECONDS = 8080, 30
_KEY = "WEAVIATE_API_KEY"
_BATCH = 200  # points in one request; a server answers at most 10,000
_SIZE = re.compile(r"(\d+) dimensions")
# text is compared as a whole and no word is passed over
_WHOLE = {"tokenization": "field", "indexFilterable": True, "indexSearchable": False}


class WeaviateStore:
    """``weaviate://HOST:8080?https=1&prefix=Hatrack_``; a key is read from the environment variable WEAVIATE_API_KEY.

    Searches go through GraphQL, which every server from 1.20 on has; where it was switched off, the store says so. The search
    is the server's own index, HNSW with the inner product.

    Raises:
        ConfigError: an option that it does not have. MissingExtra: httpx is not installed.
    """

    one_dimension = False

    def __init__(self, url: StoreURL) -> None:
        url.only("https", "prefix", "timeout")
        self._http: Any = require("httpx", extra="weaviate", reason="a weaviate store")
        self._host = f"{url.host or 'localhost'}:{url.port or _PORT}"
        self._prefix = url.options.get("prefix", "Hatrack_")
        self._known: dict[str, tuple[int, set[str]]] = {}
        key = os.environ.get(_KEY, "").strip()
        self._client: Any = self._http.Client(
            base_url=f"{'https' if url.integer('https', 0, 0) else 'http'}://{self._host}/v1",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=url.integer("timeout", _SECONDS),
        )

    def put(self, collection: str, points: Sequence[Point]) -> None:
        if not points:
            return
        size, known = self._class(collection) or self._made(collection, len(points[0].vector))
        for point in points:
            if len(point.vector) != size:
                raise wrong_dimension(collection, len(point.vector), size)
        for name, kind in properties([point.payload for point in points]).items():
            if name not in known:
                new = {"name": name, "dataType": [kind], **(_WHOLE if kind == "text" else {"indexFilterable": True})}
                if self._ask("POST", f"/schema/{self._name(collection)}/properties", new, allowed=(422,)) is None:
                    self._known.pop(collection, None)  # another process was faster, or it is refused: then the objects are too
                known.add(name)
        rows = iter(points)
        while batch := list(islice(rows, _BATCH)):
            made = [
                {"class": self._name(collection), "id": p.id, "vector": p.vector.tolist(), "properties": stored(p.payload)} for p in batch
            ]
            answer = self._ask("POST", "/batch/objects", {"objects": made})
            refused = [one["result"].get("errors") for one in answer if one.get("result", {}).get("status") == "FAILED"]
            if refused or len(answer) != len(batch):
                raise self._refused(f"{len(refused)} of {len(batch)} points: {refused[:1]}")

    def remove(self, collection: str, ids: Collection[str]) -> None:
        if not ids or self._class(collection) is None:
            return
        rows = iter(ids)
        while batch := list(islice(rows, _BATCH)):
            where = {"path": ["id"], "operator": "ContainsAny", "valueTextArray": batch}
            answer = self._ask("DELETE", "/batch/objects", {"match": {"class": self._name(collection), "where": where}})
            if answer.get("results", {}).get("failed"):
                raise self._refused(f"{answer['results']['failed']} points cannot be removed")

    def search(self, collection: str, vector: Vectors, k: int, where: Filter | None = None) -> list[Found]:
        found = self._class(collection)
        if found is None:
            return []
        size, known = found
        if len(vector) != size:
            raise wrong_dimension(collection, len(vector), size)
        condition: dict[str, Any] = {}
        if where is not None:
            if not asked(where) <= known:
                known = (self._class(collection, anew=True) or found)[1]  # another process may have brought the field
            condition = {"where": where_of(where, known)}
        rows = self._get(collection, "id distance", nearVector={"vector": vector.tolist()}, limit=k, **condition)
        return [Found(str(one["id"]), -float(one["distance"])) for one in rows]  # the distance "dot" is the product, negated

    def vectors(self, collection: str, ids: Collection[str]) -> dict[str, Vectors]:
        found: dict[str, Vectors] = {}
        if not ids or self._class(collection) is None:
            return found
        rows = iter(ids)
        while batch := list(islice(rows, _BATCH)):
            where = {"path": ["id"], "operator": "ContainsAny", "valueText": batch}
            for one in self._get(collection, "id vector", limit=len(batch), where=where):
                found[str(one["id"])] = np.asarray(one["vector"], dtype=np.float32)
        return found

    def count(self, collection: str) -> int:
        if self._class(collection) is None:
            return 0
        name = self._name(collection)
        answer = self._graphql(f"{{ Aggregate {{ {name} {{ meta {{ count }} }} }} }}")
        return int(answer["Aggregate"][name][0]["meta"]["count"])

    def clear(self, collection: str) -> None:
        self._ask("DELETE", f"/schema/{self._name(collection)}", allowed=(404,))
        self._known.pop(collection, None)

    def prepare(self, collection: str) -> None:
        """The server does it by itself."""

    def close(self) -> None:
        self._client.close()

    def _name(self, collection: str) -> str:
        """A class has a name of letters, digits and underlines; no two collections share one."""
        return self._prefix + "".join(one if one.isalnum() else f"_{ord(one):x}_" for one in collection)

    def _class(self, collection: str, *, anew: bool = False) -> tuple[int, set[str]] | None:
        """Dimension and properties; None where there is no such class. Only one that is there is remembered."""
        if anew or collection not in self._known:
            found = self._ask("GET", f"/schema/{self._name(collection)}", allowed=(404,))
            if found is None:
                self._known.pop(collection, None)
                return None
            said = _SIZE.search(found.get("description") or "")
            if said is None:
                raise self._refused(f"the class {self._name(collection)} was not made by Hatrack")
            self._known[collection] = int(said[1]), {one["name"] for one in found.get("properties") or ()}
        return self._known[collection]

    def _made(self, collection: str, size: int) -> tuple[int, set[str]]:
        made = {
            "class": self._name(collection),
            "description": f"Hatrack's collection {collection}, {size} dimensions",
            "vectorizer": "none",
            "vectorIndexType": "hnsw",
            "vectorIndexConfig": {"distance": "dot"},
            "invertedIndexConfig": {"stopwords": {"preset": "none"}},
            "properties": [{"name": KINDS, "dataType": ["text[]"], **_WHOLE}],
        }
        self._ask("POST", "/schema", made, allowed=(422,))  # another process may have been faster
        found = self._class(collection)
        if found is None:
            self._ask("POST", "/schema", made)  # it was refused for another reason, which is raised
            raise self._refused(f"the class {made['class']} cannot be made")
        return found

    def _get(self, collection: str, wanted: str, **arguments: Any) -> list[dict[str, Any]]:
        name = self._name(collection)
        given = ", ".join(f"{key}: {graphql(value)}" for key, value in arguments.items())
        rows = self._graphql(f"{{ Get {{ {name}({given}) {{ _additional {{ {wanted} }} }} }} }}")["Get"][name]
        return [row["_additional"] for row in rows or ()]

    def _graphql(self, query: str) -> Any:
        answer = self._ask("POST", "/graphql", {"query": query})
        if answer.get("errors"):
            raise self._refused("; ".join(str(one.get("message", one)) for one in answer["errors"]))
        return answer["data"]

    def _ask(self, method: str, path: str, body: Any = None, *, allowed: Sequence[int] = ()) -> Any:
        """The answer; None for one of the ``allowed`` refusals."""
        try:
            answer = self._client.request(method, path, json=body)
            if answer.status_code in allowed:
                return None
            if answer.is_success:
                return answer.json() if answer.content else {}
        except (self._http.TransportError, ValueError) as error:
            raise StoreUnreachable(
                "the Weaviate server does not answer",
                given=f"{self._host}: {error}",
                fix="look at the server and at knowledge.store",
            ) from error
        if answer.status_code >= 500:
            raise StoreUnreachable(
                "the Weaviate server fails",
                given=f"{self._host}: HTTP {answer.status_code}: {answer.text[:200]}",
                fix="look at the server's log",
            )
        raise self._refused(f"HTTP {answer.status_code} for {path}: {answer.text[:200]}")

    def _refused(self, said: str) -> KnowledgeError:
        return KnowledgeError(
            "the Weaviate server refuses",
            given=f"{self._host}: {' '.join(said.split())[:300]}",
            allowed=f"a server with GraphQL, and a key in {_KEY} where it asks for one",
            fix="look at the server and at its key",
        )
