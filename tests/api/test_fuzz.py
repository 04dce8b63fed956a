"""Bodies made from the server's own OpenAPI document, right and wrong ones: none may be a fault of the server."""

from __future__ import annotations

import sys
import traceback
from collections import Counter

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from http_server import running
from served_adapters import label, plant, project_of

EXAMPLES = 25  # for each route and way of making bodies
ANSWERS = ("chat/completions", "completions", "responses", "embeddings", "classify")
PATIENCE = 120  # seconds; an answer of the whole context takes a tenth of one, where nothing else is at work
IDS = 300  # that any tokenizer has


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, tiny_causal):
    """A server with one adapter that generates and one that knows labels."""
    root = project_of(tmp_path_factory.mktemp("fuzz"), tiny_causal)
    plant(root, tiny_causal, "a", 0)
    label(root, "a", "colours", ("red", "green"))
    with running(root) as server:
        yield server


def test_no_body_that_fits_or_breaks_the_document_is_a_fault_of_the_server(labelled):
    schemathesis = pytest.importorskip("schemathesis")
    document = schemathesis.openapi.from_url(f"{labelled.url}/openapi.json")
    right, wrong = Counter(), Counter()
    operations = [result.ok() for result in document.get_all_operations()]
    assert len(operations) > 14
    for operation in operations:
        for mode, found in ((schemathesis.GenerationMode.POSITIVE, right), (schemathesis.GenerationMode.NEGATIVE, wrong)):
            try:
                _asks(operation, mode, found)()
            except Unsatisfiable:
                continue  # a route without a body cannot be broken
    for route in ANSWERS:
        answered = right[f"POST /v1/{route}", 200]
        assert answered >= EXAMPLES / 4, f"of {route}, {answered} right bodies got an answer: {right}"
    paths = labelled.app.openapi()["paths"]
    for asked, status in (*right, *wrong):
        method, path = asked.split()
        assert str(status) in paths[path][method.lower()]["responses"], f"{asked} answered {status}, which the document does not name"
    assert sum(count for (_, status), count in wrong.items() if status == 400) > 100
    assert labelled.alone(20)


def _asks(operation, mode, found):
    """Sends bodies of one kind to one route."""

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        if isinstance(case.body, dict):
            _known(case.body, operation.path)
        answer = _answer(case)
        found[operation.label, answer.status_code] += 1
        assert answer.status_code < 500, f"{operation.label}: {answer.text}"
        if answer.status_code >= 400:
            assert answer.json()["error"]["message"]

    return ask


def _answer(case):
    """Where none comes, what each thread is at is told: the server runs in this process."""
    try:
        return case.call(timeout=PATIENCE)
    except requests.exceptions.Timeout:
        stacks = ["".join(traceback.format_stack(frame)) for frame in sys._current_frames().values()]
        pytest.fail("\n\n".join([f"no answer in {PATIENCE} s to {case.body}", *stacks]))


def _known(body, path):
    """What no document can say: which adapters and tokens there are. Made-up ones would be refused before anything else is read."""
    if isinstance(body.get("model"), str):
        body["model"] = "colours" if path.endswith("classify") else "a"
    ids = body.get("prompt")
    if isinstance(ids, list) and ids and all(type(one) is int and one >= 0 for one in ids):
        body["prompt"] = [one % IDS for one in ids]
