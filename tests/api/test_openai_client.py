"""The official Python client, langchain-openai and curl, unchanged, against a real server."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess

import numpy as np
import openai
import pytest
from pydantic import BaseModel, Field

MESSAGES = [{"role": "user", "content": "the red apple"}]


@pytest.fixture(scope="module")
def client(served):
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0)


def chat(client, **options):
    return client.chat.completions.create(**{"model": "a", "messages": MESSAGES, "max_tokens": 8, **options})


def test_a_chat_completion_is_what_the_service_says_itself(client, served):
    from api_support import answer_of
    from hatrack.core.chat import Message

    manifest = served.service.resolve("a")
    prompt = served.service.render(manifest, [Message("user", "the red apple")])
    text, end = answer_of(served.service, manifest, prompt, max_tokens=8)
    got = chat(client)
    assert got.choices[0].message.content == text
    assert got.choices[0].finish_reason == end.reason
    assert got.model == f"a@{manifest.version}"
    assert got.usage.prompt_tokens == len(prompt)
    assert got.usage.total_tokens == len(prompt) + got.usage.completion_tokens
    assert chat(client, model="base").choices[0].message.content != text


def test_a_stream_gives_the_same_answer_in_pieces_and_ends_with_the_usage(client):
    whole = chat(client)
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert [c.choices[0].finish_reason for c in chunks[:-1]].count("length") == 1
    assert all(c.usage is None for c in chat(client, stream=True))


def test_several_answers_differ_by_seed_and_the_same_seed_repeats_them(client):
    first = chat(client, n=3, seed=7, temperature=1.0, top_p=0.9)
    again = chat(client, n=3, seed=7, temperature=1.0, top_p=0.9)
    texts = [choice.message.content for choice in first.choices]
    assert texts == [choice.message.content for choice in again.choices]
    assert len(set(texts)) > 1
    assert [choice.index for choice in first.choices] == [0, 1, 2]
    assert first.usage.completion_tokens == 24
    streamed = ["", "", ""]
    for chunk in chat(client, n=3, seed=7, temperature=1.0, top_p=0.9, stream=True):
        streamed[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert streamed == texts


def test_stop_strings_end_the_answer(client):
    whole = chat(client, max_tokens=30).choices[0].message.content
    word = whole[5:8]
    cut = chat(client, max_tokens=30, stop=[word, "never"]).choices[0]
    assert cut.message.content == whole[: whole.index(word)]
    assert cut.finish_reason == "stop"
    assert chat(client, max_tokens=30, stop=word).choices[0].message.content == cut.message.content


def test_logprobs_come_with_each_token(client):
    got = chat(client, logprobs=True, top_logprobs=3).choices[0].logprobs.content
    assert len(got) == 8
    for token in got:
        assert len(token.top_logprobs) == 3
        assert token.token == token.top_logprobs[0].token
        assert token.logprob == token.top_logprobs[0].logprob < 0
    assert chat(client).choices[0].logprobs is None
    streamed = [token for c in chat(client, logprobs=True, stream=True) if c.choices[0].logprobs for token in c.choices[0].logprobs.content]
    assert [token.token for token in streamed] == [token.token for token in got]


class Clause(BaseModel):
    kind: str = Field(json_schema_extra={"enum": ["rent", "term"]})
    days: int = Field(ge=0, le=99)


def test_an_answer_follows_its_schema_and_is_parsed(client):
    got = client.chat.completions.parse(model="a", messages=MESSAGES, max_tokens=60, response_format=Clause)
    assert isinstance(got.choices[0].message.parsed, Clause)
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"], "additionalProperties": False}
    for body in (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}},
        {"response_format": {"type": "json_object"}, "max_tokens": 1},
    ):
        text = chat(client, **{"max_tokens": 40, **body}).choices[0].message.content
        assert text.startswith("{")
    assert json.loads(chat(client, max_tokens=40, response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}})
                      .choices[0].message.content)["n"] in (1, 2)  # fmt: skip


def test_completions_go_on_with_several_texts(client, served):
    got = client.completions.create(model="b", prompt=["the red", "a bird"], max_tokens=5, n=2, logprobs=2)
    assert [choice.index for choice in got.choices] == [0, 1, 2, 3]
    assert got.choices[0].text == got.choices[1].text != got.choices[2].text
    assert len(got.choices[0].logprobs.tokens) == 5
    assert got.usage.completion_tokens == 20
    ids = served.service.renderer.text("the red").ids[:-1]
    by_ids = client.completions.create(model="b", prompt=list(ids), max_tokens=5)
    assert by_ids.choices[0].text == got.choices[0].text
    streamed = "".join(c.choices[0].text for c in client.completions.create(model="b", prompt="the red", max_tokens=5, stream=True))
    assert streamed == got.choices[0].text


def test_a_response_and_its_events(client):
    got = client.responses.create(model="a", input="the red apple", max_output_tokens=8, instructions="be brief", metadata={"k": "v"})
    assert got.status == "incomplete"
    assert got.incomplete_details.reason == "max_output_tokens"
    assert got.output_text
    assert got.usage.output_tokens == 8
    assert got.metadata == {"k": "v"}
    events = list(
        client.responses.create(
            model="a",
            input=[{"role": "user", "content": [{"type": "input_text", "text": "the red apple"}]}],
            instructions="be brief",
            max_output_tokens=8,
            stream=True,
        )
    )
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.incomplete"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == got.output_text
    assert events[-1].response.output_text == got.output_text
    form = {"format": {"type": "json_schema", "name": "n", "schema": {"enum": [12]}}}
    with client.responses.stream(model="a", input="the red apple", max_output_tokens=9, text=form) as stream:
        stream.until_done()
        whole = stream.get_final_response()
        assert whole.status == "completed"
        assert whole.output_text == "12"


def test_embeddings_as_numbers_and_as_base64_are_the_same_and_each_adapter_has_its_own(client):
    texts = ["the red apple", "a blue river"]
    numbers = client.embeddings.create(model="a", input=texts, encoding_format="float")
    packed = client.embeddings.with_raw_response.create(model="a", input=texts, encoding_format="base64").http_response.json()
    decoded = [np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in packed["data"]]
    for one, other in zip(numbers.data, decoded, strict=True):
        assert np.allclose(one.embedding, other)
        assert np.linalg.norm(other) == pytest.approx(1, abs=1e-5)
    assert client.embeddings.create(model="a", input=texts).data[1].embedding == pytest.approx(numbers.data[1].embedding)
    assert client.embeddings.create(model="base", input=texts).data[0].embedding != pytest.approx(numbers.data[0].embedding)
    assert numbers.usage.prompt_tokens > 0


def test_models_are_all_names_a_request_may_carry(client):
    names = [model.id for model in client.models.list()]
    assert names == ["auto", "base", "a", "a@1.0.0", "b", "b@1.0.0", "legal", "legal@1.0.0"]
    assert client.models.retrieve("a@1.0.0").hatrack["method"] == "lora"
    for name in names[1:]:
        assert chat(client, model=name, max_tokens=1).usage.completion_tokens == 1


def test_refusals_are_the_clients_own_exceptions(client):
    with pytest.raises(openai.NotFoundError) as unknown:
        chat(client, model="lgal")
    assert unknown.value.code == "model_not_found"
    assert unknown.value.param == "model"
    assert "did you mean legal?" in unknown.value.message
    with pytest.raises(openai.BadRequestError) as tools:
        chat(client, tools=[{"type": "function", "function": {"name": "f"}}])
    assert tools.value.param == "tools"
    assert "leave tools out" in tools.value.message
    with pytest.raises(openai.BadRequestError, match="context"):
        chat(client, max_tokens=100_000)


def test_every_answer_says_whose_it_is(client, served):
    raw = client.chat.completions.with_raw_response.create(
        model="a", messages=MESSAGES, max_tokens=1, extra_headers={"X-Request-Id": "mine-1"}
    )
    manifest = served.service.resolve("a")
    assert raw.headers["x-hatrack-adapter"] == "a"
    assert raw.headers["x-hatrack-version"] == manifest.version
    assert raw.headers["x-hatrack-digest"] == manifest.digest
    assert raw.headers["x-request-id"] == "mine-1"
    base = client.chat.completions.with_raw_response.create(model="base", messages=MESSAGES, max_tokens=1)
    assert base.headers["x-hatrack-digest"] == served.service.files.fingerprint
    assert base.headers["x-request-id"] not in ("", "mine-1")


def test_langchain_asks_streams_and_embeds(served):
    langchain = pytest.importorskip("langchain_openai")
    where = {"base_url": f"{served.url}/v1", "api_key": "none", "model": "a"}
    model = langchain.ChatOpenAI(**where, max_tokens=8, temperature=0)
    told = model.invoke("the red apple")
    assert told.content
    assert told.usage_metadata["output_tokens"] == 8
    assert "".join(chunk.content for chunk in model.stream("the red apple")) == told.content
    longer = langchain.ChatOpenAI(**where, max_tokens=60)
    assert isinstance(longer.with_structured_output(Clause).invoke("the red apple"), Clause)
    vectors = langchain.OpenAIEmbeddings(**where, check_embedding_ctx_length=False).embed_documents(["the red", "a bird"])
    assert len(vectors) == 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(served, ask):
    url = f"{served.url}/v1/chat/completions"
    command = ["curl", "-sS", "--noproxy", "*", url, "-H", "Content-Type: application/json", "-d"]
    whole = subprocess.run([*command, json.dumps(ask())], capture_output=True, text=True, check=True, timeout=30).stdout
    assert json.loads(whole)["choices"][0]["message"]["content"]
    stream = subprocess.run([*command, json.dumps(ask(stream=True))], capture_output=True, text=True, check=True, timeout=30).stdout
    assert stream.startswith("data: {")
    assert stream.endswith("data: [DONE]\n\n")
