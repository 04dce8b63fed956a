"""``hatrack mcp`` over its real protocol: a client starts the command and calls its tools."""

from __future__ import annotations

import json
import os
import sys

import anyio
import pytest

from knowledge_places import FACTS, add, write_rows
from projects import copy_of, trained_by_text


@pytest.fixture(scope="module")
def root(tiny_causal, tmp_path_factory):
    root = copy_of(trained_by_text(tiny_causal), tmp_path_factory.mktemp("tools"))
    config = root / "hatrack.yaml"
    config.write_text(
        config.read_text() + "knowledge: {embedder: 'hashing:256', language: en, collections: {main: {}, acme: {tenants: acme}}}\n"
    )
    add(root, write_rows(root / "facts.jsonl", FACTS))
    add(root, write_rows(root / "acme.jsonl", [{"id": "secret", "text": "The acme card is lost."}]), "acme")
    return root


@pytest.fixture(scope="module")
def called(root):
    """What each call gave, of one session with one process: ``(is_error, text or value)``."""
    from mcp import Client, StdioServerParameters

    calls = {
        "adapters": ("adapters", {}),
        "search": ("search", {"query": "a lost card", "filter": {"country": "FR"}, "k": 2}),
        "other": ("search", {"query": "acme card", "k": 20}),
        "forbidden": ("search", {"query": "x", "collections": ["acme"]}),
        "documents": ("ask", {"question": "a lost card is replaced", "documents": True, "max_tokens": 4}),
        "plain": ("ask", {"question": "the red apple", "adapter": "colours", "max_tokens": 2}),
        "labels": ("classify", {"texts": ["the red apple", "a blue stone"], "adapter": "colours"}),
        "unknown": ("ask", {"question": "x", "adapter": "colors"}),
    }

    async def session():
        command = StdioServerParameters(
            command=sys.executable, args=["-m", "hatrack", "mcp", "--project", str(root), "--tenant", "other"], env=dict(os.environ)
        )
        async with Client(command) as client:
            seen = {"tools": {tool.name for tool in (await client.list_tools()).tools}}
            for key, (name, arguments) in calls.items():
                answer = await client.call_tool(name, arguments)
                texts = [part.text for part in answer.content]
                seen[key] = (bool(answer.is_error), texts[0] if answer.is_error else answer.structured_content)
            return seen

    return anyio.run(session)


def test_the_tools_are_there(called):
    assert called["tools"] == {"adapters", "ask", "classify", "search"}
    assert {"base", "colours"} <= {one["name"] for one in called["adapters"][1]["result"]}


def test_passages_are_found_under_a_filter(called):
    wrong, found = called["search"]
    assert not wrong
    assert found["result"][0]["source"] == "facts.jsonl#card"
    assert {one["metadata"]["country"] for one in found["result"]} == {"FR"}


def test_a_collection_of_another_tenant_is_not_there(called):
    assert "secret" not in json.dumps(called["other"][1])
    wrong, text = called["forbidden"]
    assert wrong
    assert "no collection called 'acme'" in text


def test_an_adapter_answers_with_its_sources_or_without(called):
    wrong, told = called["documents"]
    assert not wrong
    assert told["found"]
    assert told["sources"][0]["source"] == "facts.jsonl#card"
    assert set(called["plain"][1]) == {"answer"}


def test_texts_get_labels(called):
    wrong, found = called["labels"]
    assert not wrong
    assert len(found["result"]) == 2
    assert {one["label"] for one in found["result"]} <= {"red", "green", "blue"}
    assert all(0 < one["probability"] <= 1 for one in found["result"])


def test_what_is_refused_is_told_to_the_model(called):
    wrong, text = called["unknown"]
    assert wrong
    assert "did you mean colours" in text or "colours" in text
