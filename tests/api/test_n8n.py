"""The workflows of examples/n8n: their shape, and what n8n really sent for them, answered by a server here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "n8n"
FLOWS = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json") if path.stem != "credential"}
SENT = [json.loads(line) for line in (FOLDER / "requests.jsonl").read_text(encoding="utf-8").splitlines()]
OPENAI = "@n8n/n8n-nodes-langchain.openAi"


def test_there_is_one_for_chat_documents_and_batches():
    assert set(FLOWS) == {"chat", "rag", "batch-classify"}


@pytest.mark.parametrize("name", FLOWS)
def test_a_workflow_is_whole_and_holds_no_secret(name):
    flow = FLOWS[name]
    nodes = {node["name"]: node for node in flow["nodes"]}
    assert len(nodes) == len(flow["nodes"])
    reached, waiting = set(), ["Start"]
    while waiting:
        reached.add(one := waiting.pop())
        waiting += [link["node"] for links in flow["connections"].get(one, {}).get("main", []) for link in links]
    assert reached == set(nodes), "a node hangs in the air"
    [asking] = [node for node in flow["nodes"] if node["type"] == OPENAI]
    [credential] = json.loads((FOLDER / "credential.json").read_text())
    assert asking["credentials"][credential["type"]]["id"] == credential["id"]
    assert credential["data"]["url"].startswith("http://127.0.0.1:")
    assert not re.search(r"sk-|Bearer|password", json.dumps(flow))
    assert asking["parameters"]["modelId"]["value"] in (FOLDER / "hatrack.yaml").read_text()


def test_the_project_beside_them_is_accepted():
    from hatrack.core.config_file import read_config
    from hatrack.training.methods.base import option_model

    assert set(read_config(FOLDER, option_model).adapters) == {"tickets", "support", "handbook"}


@pytest.mark.parametrize("sent", SENT, ids=lambda sent: f"{sent['path']} {sent['body']['model']}" if sent["body"] else sent["path"])
def test_what_n8n_sent_is_answered_in_the_shape_that_its_node_reads(http, sent):
    asked = sent["body"] and {**sent["body"], "model": "a"}
    response = http.request(sent["method"], sent["path"], json=asked, headers={"OpenAI-Organization": ""})
    assert response.status_code == 200, response.text
    answer = response.json()
    if sent["path"].endswith("/chat/completions"):
        assert isinstance(answer["choices"][0]["message"]["content"], str)
        assert not answer["choices"][0]["message"].get("tool_calls")
        assert answer["usage"]["prompt_tokens"] > 0
    elif sent["path"].endswith("/responses"):
        assert answer["status"] in ("completed", "incomplete")
        assert answer["output"][0]["content"][0]["type"] == "output_text"
        assert answer["usage"]["output_tokens"] > 0


def test_what_was_sent_is_of_all_three_workflows():
    models = [one["body"]["model"] for one in SENT if one["body"]]
    assert {"support", "handbook", "tickets"} == set(models)
    assert models.count("tickets") == 5, "one for each ticket"
    assert "POST /v1/responses" in {f"{one['method']} {one['path']}" for one in SENT}
