"""Labels with probabilities; adapters that do not fit into a slot; a base that does not generate."""

from __future__ import annotations

import json

import pytest

from hatrack import Assistant
from http_server import running
from served_adapters import label, plant, project_of

LABELS = ("red", "green", "blue")


def test_labels_are_those_of_the_assistant_and_what_fits_no_slot_is_served_too(tmp_path, tiny_causal, ask):
    plant(project_of(tmp_path, tiny_causal), tiny_causal, "wide", 3, rank=16)
    assistant = Assistant.open(tmp_path)
    label(tmp_path, "wide", "colours", LABELS)
    texts = ["the red apple", "a blue river", "green"] * 30  # more than one call
    expected = assistant.classify(texts, "colours")
    with running(tmp_path) as server, server.client() as client:
        got = client.post("/v1/classify", json={"model": "colours", "input": texts})
        assert got.headers["x-hatrack-adapter"] == "colours"
        data = got.json()["data"]
        assert [one["label"] for one in data] == [one.label for one in expected]
        assert [one["probability"] for one in data] == pytest.approx([one.probability for one in expected], abs=1e-4)
        assert all(sum(label["probability"] for label in one["labels"]) == pytest.approx(1) for one in data)
        assert [one["index"] for one in data] == list(range(len(texts)))
        assert client.get("/v1/models/colours").json()["hatrack"]["labels"] == list(LABELS)

        answer = client.post("/v1/chat/completions", json=ask("wide", stream=True))
        frames = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        text = "".join(frame["choices"][0]["delta"].get("content", "") for frame in frames)
        assert text.strip() == assistant.generate("the red apple", "wide", max_new_tokens=8).text
        assert client.post("/admin/adapters/wide/load").status_code == 202
        assert client.post("/admin/adapters/wide/pin").status_code == 409
        states = {state["adapter"]: state for state in client.get("/admin/adapters").json()["data"]}
        assert (states["wide"]["mixed"], states["wide"]["state"]) == (False, "resident")


def test_an_encoder_embeds_and_says_that_it_does_not_generate(tmp_path, tiny_encoder):
    with running(project_of(tmp_path, tiny_encoder)) as server, server.client() as client:
        vectors = client.post("/v1/embeddings", json={"model": "base", "input": ["the red", "a bird"]})
        assert [one["index"] for one in vectors.json()["data"]] == [0, 1]
        for path, body in (
            ("chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
            ("completions", {"prompt": "x"}),
            ("responses", {"input": "x"}),
        ):
            refused = client.post(f"/v1/{path}", json={"model": "base", **body})
            assert refused.status_code == 400
            assert "/v1/classify" in refused.json()["error"]["message"]
        assert client.get("/metrics").status_code == 200


def test_a_prompt_is_whole_while_texts_beside_it_are_cut(tmp_path, tiny_causal):
    """The tokenizer that cuts long texts for embeddings must not be the one that renders prompts."""
    from concurrent.futures import ThreadPoolExecutor

    from hatrack.core.chat import Message

    with running(project_of(tmp_path, tiny_causal)) as server:
        service = server.service
        service.embed(None, ["x"]).result(60)
        host = service.groups._host
        assert host.files.tokenizer is not service.files.tokenizer
        turn = [Message("user", "the red apple " * 40)]
        whole = service.render(None, turn)
        with ThreadPoolExecutor(2) as pool:
            cutting = pool.submit(lambda: [host.tokenize(["a river"], 2) for _ in range(1000)])
            assert all(service.render(None, turn) == whole for _ in range(100))
            cutting.result()
