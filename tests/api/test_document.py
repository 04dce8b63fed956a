"""The OpenAPI document: made of the routes alone, and true about refusals."""

from __future__ import annotations

import jsonschema_rs
import pytest

from hatrack.api.app import create_routes
from hatrack.api.errors import _STATUS
from hatrack.api.gate import OPEN_PATHS


@pytest.fixture(scope="module")
def document():
    return create_routes().openapi()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, {int(status) for status in operation["responses"]}


def test_the_routes_alone_have_the_document_of_a_server(document, http):
    assert http.get("/openapi.json").json() == document


def test_a_document_without_the_page_has_none_of_its_routes():
    assert not any(path == "/" or path.startswith("/web") for path in create_routes(page=False).openapi()["paths"])


def test_closed_routes_may_ask_for_a_key_and_open_ones_refuse_nobody(document):
    for method, path, statuses in operations(document):
        assert 422 not in statuses, path
        if path in OPEN_PATHS:
            assert statuses == ({200, 503} if path == "/readyz" else {200}), path
        else:
            assert statuses >= {401, 403, 500, 503}, path
            assert (method == "POST") == (statuses >= {400, 408, 413}), path


def test_every_status_of_an_error_stands_at_some_route(document):
    told = set().union(*(statuses for _, _, statuses in operations(document)))
    assert {status for _, status, _ in _STATUS} <= told


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/v1/chat/completions", {"messages": []}),
        ("/v1/chat/completions", {"tools": ["a"]}),
        ("/v1/chat/completions", {"model": "nobody"}),
        ("/v1/classify", {"input": "red"}),
        ("/v1/tables/loans/predict", {"rows": [{}]}),
        ("/admin/adapters/nobody/load", {}),
    ],
)
def test_a_refusal_has_a_status_and_a_shape_that_the_document_names(document, http, ask, path, change):
    got = http.post(path, json={**ask(), **change})
    assert got.status_code >= 400
    known = {"/v1/tables/loans/predict": "/v1/tables/{name}/predict", "/admin/adapters/nobody/load": "/admin/adapters/{reference}/load"}
    assert str(got.status_code) in document["paths"][known.get(path, path)]["post"]["responses"]
    assert jsonschema_rs.is_valid(document["components"]["schemas"]["Refused"], got.json())
