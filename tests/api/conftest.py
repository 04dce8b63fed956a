"""One server for all tests that only ask it; those that change it start their own."""

from __future__ import annotations

import pytest
import yaml

from hatrack.cli.main import main
from http_server import running
from made_tables import table_project
from projects import write_project
from served_adapters import plant, project_of

NAMES = ("a", "b", "legal")


@pytest.fixture(scope="session")
def planted(tmp_path_factory, tiny_causal):
    """A project with three adapters; nobody adds to it."""
    root = project_of(tmp_path_factory.mktemp("api"), tiny_causal)
    for seed, name in enumerate(NAMES):
        plant(root, tiny_causal, name, seed)
    return root


@pytest.fixture(scope="session")
def served(planted):
    with running(planted) as server:
        yield server


@pytest.fixture(scope="session")
def http(served):
    with served.client() as client:
        yield client


@pytest.fixture
def ask():
    """A body for chat completions."""

    def body(model="a", text="the red apple", **options):
        return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 8, **options}

    return body


@pytest.fixture(scope="session")
def make_place(tmp_path_factory, tiny_causal):
    """Makes projects with a table ``loans``, trained, and a base for the server."""

    def make():
        root = table_project(tmp_path_factory.mktemp("tables") / "project", model="xgboost")
        config = yaml.safe_load((root / "hatrack.yaml").read_text())
        write_project(root, tiny_causal, {"talk": {"data": "none.jsonl", "task": "instruct"}}, **config)
        with pytest.raises(SystemExit) as ended:
            main(["table", "train", "loans", "--project", str(root)])
        assert not ended.value.code
        return root

    return make
