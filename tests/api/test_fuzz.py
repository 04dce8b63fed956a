"""Bodies made from the server's own OpenAPI document, right and wrong ones: none may be a fault of the server."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

EXAMPLES = 25  # for each route and way of making bodies


def test_no_body_that_fits_or_breaks_the_document_is_a_fault_of_the_server(served):
    schemathesis = pytest.importorskip("schemathesis")
    document = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    statuses = []
    operations = [result.ok() for result in document.get_all_operations()]
    assert len(operations) > 14
    for operation in operations:
        for mode in schemathesis.GenerationMode:
            try:
                _asks(operation, mode, statuses)()
            except Unsatisfiable:
                continue  # a route without a body cannot be broken
    assert statuses.count(200) > 20, "hardly anything got through"
    assert statuses.count(400) > 100
    assert served.alone(20)


def _asks(operation, mode, statuses):
    """Sends bodies of one kind to one route."""

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
            case.body["model"] = "a"  # a made-up name would be 404 before anything else is looked at
        answer = case.call(timeout=30)
        statuses.append(answer.status_code)
        assert answer.status_code < 500, f"{operation.label}: {answer.text}"
        if answer.status_code >= 400:
            assert answer.json()["error"]["message"]

    return ask
