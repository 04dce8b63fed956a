"""What is particular to llama.cpp: files in GGUF, servers that start anew for an adapter, the real model in four bits."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from engine_place import ask, open_engine, service_of
from hatrack.core.chat import Message
from hatrack.core.errors import AdapterError, AdapterMismatch, ModelCorrupt, ModelNotFound
from hatrack.models.gguf.lora import write_gguf_lora
from hatrack.models.gguf.shape import read_gguf_base
from hatrack.serving.engines import llamacpp
from served_adapters import plant, project_of
from tiny_gguf import write_gguf

xllamacpp = pytest.importorskip("xllamacpp", reason='pip install "hatrack[llamacpp]"')


@pytest.fixture(scope="module")
def placed(tmp_path_factory, tiny_causal):
    folder = tmp_path_factory.mktemp("llamacpp")
    serve, _ = open_engine("llamacpp", tiny_causal, folder)
    root = project_of(folder, tiny_causal)
    for seed, name in enumerate(("a", "b", "c")):
        plant(root, tiny_causal, name, seed)
    return root, serve


@pytest.fixture
def served(placed, monkeypatch):
    """A service, and every server that was started for it."""
    root, serve = placed
    started = []
    real = llamacpp._Server

    def start(*arguments):
        started.append(real(*arguments))
        return started[-1]

    monkeypatch.setattr(llamacpp, "_Server", start)
    service = service_of(root, serve, slots=3)
    yield service, started
    service.stop(drain=False)


def test_F24_every_request_names_the_scale_of_every_adapter_and_the_prompt_cache_is_off(served, monkeypatch):
    service, started = served
    for name in ("a", "b"):
        ask(service, name, [50, 51], max_tokens=1).text()
    sent = []
    wire = started[-1].wire
    monkeypatch.setattr(wire, "events", lambda path, body: sent.append(body) or (event for event in ()))
    for name in ("a", "b", "base"):
        ask(service, name, [50, 51], max_tokens=1).wait()
    assert [[scale["scale"] for scale in body["lora"]] for body in sent] == [[1, 0], [0, 1], [0, 0]]
    assert all(body["cache_prompt"] is False for body in sent)


def test_adapters_that_are_asked_for_together_start_one_server_together(served):
    service, started = served
    backend = service.engine._backend
    with backend._starting:  # a start that takes long
        heard = [ask(service, name, [50, 51], max_tokens=2) for name in ("a", "b", "c")]
        end = time.monotonic() + 30
        while len(backend._wanted) < 3 and time.monotonic() < end:
            time.sleep(0.01)
    for answer in heard:
        answer.text()
    assert len(started) == 2, "one for the base, one for all who waited"
    assert len(started[-1].adapters) == 3


def test_F27_an_answer_goes_on_while_an_adapter_comes(served):
    service, started = served
    long = ask(service, "base", [50, 51], max_tokens=200)
    long.events.get(timeout=30)
    ask(service, "a", [50, 51], max_tokens=1).text()
    assert len(started) == 2
    _, end = long.wait()
    assert end.reason in ("stop", "length")
    ask(service, "a", [50, 51], max_tokens=1).text()
    assert started[0].users == 0


def test_nobody_else_gets_in_through_the_port(served):
    import httpx

    _, started = served
    url = started[0].wire._url
    assert url.startswith("http://127.0.0.1:")
    assert httpx.post(f"{url}/completion", json={"prompt": "x", "n_predict": 1}).status_code == 401


def test_a_base_without_a_gguf_file_says_what_to_do(placed):
    root, _ = placed
    with pytest.raises(ModelNotFound, match="GGUF") as refused:
        service_of(root, {"engine": "llamacpp"})
    assert "serve.llamacpp.gguf" in refused.value.fix


def test_a_gguf_file_of_another_base_is_refused(placed, tmp_path):
    from conftest import make_causal

    root, _ = placed
    other = write_gguf(make_causal(tmp_path / "other", layers=2), tmp_path / "other.gguf")
    with pytest.raises(ModelNotFound, match="another base") as refused:
        service_of(root, {"engine": "llamacpp", "llamacpp": {"gguf": str(other)}})
    assert refused.value.given == "num_hidden_layers 2"


def test_a_file_that_is_no_gguf_is_refused(placed, tmp_path):
    root, _ = placed
    (tmp_path / "x.gguf").write_bytes(b"not a model at all" * 10)
    with pytest.raises(ModelCorrupt):
        service_of(root, {"engine": "llamacpp", "llamacpp": {"gguf": str(tmp_path / "x.gguf")}})


def test_layers_llamacpp_has_no_name_for_are_refused_and_nothing_is_left(placed, tiny_causal, tmp_path):

    from safetensors.torch import load_file, save_file

    root, serve = placed
    base = read_gguf_base(Path(serve["llamacpp"]["gguf"]))
    folder = next((root / "made").iterdir())
    weights = load_file(folder / "adapter_model.safetensors")
    renamed = {key.replace("q_proj", "strange_proj"): tensor for key, tensor in weights.items()}
    odd = tmp_path / "odd"
    odd.mkdir()
    save_file(renamed, odd / "adapter_model.safetensors")
    (odd / "adapter_config.json").write_text(json.dumps(json.loads((folder / "adapter_config.json").read_text())))
    with pytest.raises(AdapterMismatch, match="no such layer"):
        write_gguf_lora(odd, base, tmp_path / "out.gguf")
    assert not list(tmp_path.glob("*.gguf"))


def test_an_architecture_whose_order_of_rows_is_not_known_is_refused(tmp_path):
    import gguf

    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "bloom")
    for add in (writer.add_block_count, writer.add_embedding_length, writer.add_head_count):
        add(2)
    writer.add_token_list(["a"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(AdapterError, match="cannot be converted"):
        read_gguf_base(tmp_path / "x.gguf")


@pytest.mark.real
@pytest.mark.skipif("HATRACK_TEST_REAL_ENGINES" not in os.environ, reason="a minute: HATRACK_TEST_REAL_ENGINES=1")
def test_F24_the_bundled_model_in_four_bits_answers_with_its_own_file_and_keeps_adapters_apart(real_cache, tmp_path):
    """Words are llama.cpp's: it rounds activations to eight bits too, so they need not be those of the full model."""
    base = "bundled/smollm2-135m-instruct"
    root = project_of(tmp_path, base)
    for seed, name in enumerate(("a", "b")):
        plant(root, base, name, seed, size=0.1)
    service = service_of(root, {"engine": "llamacpp"}, kv_gb=0.1)
    prompt = list(service.render(None, [Message("user", "What is the capital of France?")]))
    texts = [ask(service, name, prompt, max_tokens=8).text()[0] for name in ("a", "b", "base", "a", "b", "base")]
    service.stop()
    assert texts[:3] == texts[3:]
    assert len(set(texts)) == 3, "all answered the probe, so each acts as it should"
