"""What the contributors' page shows works as it stands: a metric, a method and a store, in the files it names."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hatrack.core.errors import ConfigError, KnowledgeError
from hatrack.evaluation.metrics.base import Answers, Metric
from hatrack.rag.filters import parse_filter
from hatrack.rag.stores.base import STORES, Point, Store, open_store
from hatrack.training.methods.base import METHODS
from knowledge_places import FACTS, add, found, knowledge_project, write_rows

PAGE = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def shown():
    """All names of all blocks; each block is a module where its first line says, so that they can import one another."""
    names, made = {}, []
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        path = re.match(r"# src/(\S+)\.py", block)[1].replace("/", ".")
        for name in (path.rpartition(".")[0], path):  # a folder that is new, and the module in it
            if name not in sys.modules:
                sys.modules[name] = ModuleType(name)
                made.append(name)
        exec(compile(block, PAGE.name, "exec"), vars(sys.modules[path]))
        names |= vars(sys.modules[path])
    yield names
    for name in made:
        del sys.modules[name]


def members(protocol):
    return {name for name in vars(protocol) | protocol.__annotations__ if not name.startswith("_")}


def test_the_metric_is_one(shown):
    metric = shown["Brevity"]()
    answers = Answers(given=["short", "word " * 11, "three words here"], expected=[""] * 3)
    assert metric.applies(answers)
    assert metric.total(metric.rows(answers)) == pytest.approx(2 / 3)
    assert members(Metric) <= set(dir(metric))


def test_the_method_trains_an_adapter_that_is_used_like_any(shown, make_project, hatrack, monkeypatch):
    monkeypatch.setitem(METHODS._loaded, "rsdora", shown["RsDora"])
    project = make_project(method="rsdora")
    ran = hatrack("train", project=project)
    assert ran.code == 0, ran.err
    assert "rsdora" in hatrack("versions", "--json", project=project).out
    (project / "new.jsonl").write_text('{"text": "the red apple"}\n')
    assert hatrack("classify", "first", str(project / "new.jsonl"), project=project).code == 0


@pytest.fixture
def memory(shown, monkeypatch):
    monkeypatch.setitem(STORES._loaded, "memory", shown["MemoryStore"])


def test_the_store_does_what_stores_promise(shown, memory, tmp_path):
    with pytest.raises(ConfigError, match="no option"):
        open_store("memory://?size=3", tmp_path)
    store = open_store("memory://", tmp_path)
    assert members(Store) <= set(dir(store))
    axes = np.eye(3, dtype=np.float32)
    store.put("c", [Point(str(i), axis, {"country": ("FR", "US")[i % 2]}) for i, axis in enumerate(axes)])
    question = np.array([0.9, 0.3, 0.1], np.float32)
    assert [one.id for one in store.search("c", question, 2)] == ["0", "1"]
    assert [one.id for one in store.search("c", question, 2, parse_filter({"country": "FR"}))] == ["0", "2"]
    with pytest.raises(KnowledgeError, match="does not fit"):
        store.search("c", np.ones(2, np.float32), 1)
    store.remove("c", ["0", "none"])
    assert (store.count("c"), set(store.vectors("c", ["0", "1"]))) == (2, {"1"})
    store.clear("c")
    assert store.search("c", question, 2) == []


def test_a_knowledge_base_stands_on_it(memory, tmp_path, monkeypatch):
    root = knowledge_project(tmp_path, store="memory://kb")
    kept = open_store("memory://kb", root)
    monkeypatch.setitem(STORES._loaded, "memory", lambda url: kept)  # what is in memory is there for one process alone
    add(root, write_rows(root / "facts.jsonl", FACTS))
    assert found(root, "lost card", k=1) == ["card"]
