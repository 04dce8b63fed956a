"""Exports opened by their tools alone: what PEFT, transformers, llama.cpp, onnxruntime and a bare Python say is what Hatrack says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
import torch

from engine_place import REAL
from exported_projects import causal_project, encoder_project, open_bench
from hatrack.core.errors import AdapterMismatch, AdapterNotFound, ConfigError, StorageError
from hatrack.core.exported import EXPORT, ExportRecord
from hatrack.evaluation.systems import adapter_answers
from hatrack.models.causal import last_logits
from hatrack.models.host import ModelHost
from hatrack.workflows.export.run import Wish, export

PROMPTS = [[2, 60, 70, 80, 90], [2, 61, 71]]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.getbasetemp() / "exported"


@pytest.fixture(scope="module")
def bench(places):
    return open_bench(causal_project(places))


@pytest.fixture(scope="module")
def words(places):
    return open_bench(encoder_project(places))


def ours(bench, name, prompts=PROMPTS):
    manifest = bench.registry.resolve(name)
    bench.host = bench.host or ModelHost(bench.files)
    if manifest.digest not in bench.host.adapters:
        bench.host.attach(manifest.digest, bench.registry.folder(manifest))
    with bench.host.using(manifest.digest):
        return bench.host.probe_logits(prompts, bench.host.adapters[manifest.digest].head)


def theirs(model, prompts=PROMPTS):
    with torch.inference_mode():
        return torch.stack([model(input_ids=torch.tensor([ids])).logits[0, -1] for ids in prompts])


@pytest.mark.parametrize("name", ["plain", "turned", "scaled", "prefixed"])
def test_peft_alone_reads_the_folder(bench, tmp_path, name):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    export(bench, name, Wish("peft", tmp_path / "out", base_id="org/base", rows=0))
    base = AutoModelForCausalLM.from_pretrained(bench.files.folder, dtype=torch.float32)
    assert torch.allclose(theirs(PeftModel.from_pretrained(base, tmp_path / "out").eval()), ours(bench, name), atol=1e-4)
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["base_model_name_or_path"] == "org/base"


@pytest.mark.parametrize("name", ["plain", "turned", "scaled", "tuned"])
def test_F20_transformers_alone_reads_the_merged_folder_and_answers_alike(bench, tmp_path, name):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    record = export(bench, name, Wish("merged", tmp_path / "out"))
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    assert torch.allclose(theirs(model), ours(bench, name), atol=1e-4)
    assert not torch.allclose(theirs(model), last_logits(bench.host.module, PROMPTS), atol=1e-3)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    talk = [{"role": "system", "content": "Name the colour."}, {"role": "user", "content": "lamp red"}]
    assert tokenizer.apply_chat_template(talk, tokenize=False) == bench.files.tokenizer.apply_chat_template(talk, tokenize=False)
    assert record.parts[0].quality.same == 1.0


@pytest.mark.parametrize("format", ["gguf", "gguf-adapter"])
def test_llama_cpp_alone_says_the_same_words(bench, tmp_path, format):
    xllamacpp = pytest.importorskip("xllamacpp", reason='pip install "hatrack[llamacpp]"')
    export(bench, "plain", Wish(format, tmp_path / "out", ("F32",), rows=0))
    params = xllamacpp.CommonParams()
    if format == "gguf":
        params.model.path = str(tmp_path / "out" / "plain-1.0.0-F32.gguf")
    else:
        export(bench, "base", Wish("gguf", tmp_path / "base", ("F32",), rows=0))
        params.model.path = str(tmp_path / "base" / "base-F32.gguf")
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(tmp_path / "out" / "plain-1.0.0.gguf"), 1.0)]
    params.n_parallel, params.n_ctx, params.warmup, params.verbosity = 1, 256, False, -1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    manifest = bench.registry.resolve("plain")
    rows = bench.prepare("plain").splits.test[:6]
    ours(bench, "plain")
    wanted = adapter_answers(bench.host, manifest.digest, rows)
    heard = []
    for row in rows:  # its own template and tokenizer, from the file alone
        talk = [{"role": "system", "content": "Name the colour."}, {"role": "user", "content": row.text}]
        said = server.handle_chat_completions({"messages": talk, "temperature": 0, "max_tokens": 6, "cache_prompt": False})
        heard.append(said["choices"][0]["message"]["content"].strip())
    assert tuple(heard) == wanted
    assert set(heard) == {"red", "green", "blue"}


def test_fewer_bits_are_smaller_and_are_measured(bench, tmp_path):
    pytest.importorskip("xllamacpp", reason='pip install "hatrack[llamacpp]"')
    record = export(bench, "plain", Wish("gguf", tmp_path / "out", ("f16", "q8_0", "q4_0")))
    assert [part.name for part in record.parts] == ["F16", "Q8_0", "Q4_0"]
    sizes = [part.bytes for part in record.parts]
    assert sizes == sorted(sizes, reverse=True)
    assert [part.full for part in record.parts] == [True, False, False]
    likeness = [part.likeness for part in record.parts]
    assert likeness == sorted(likeness, reverse=True)
    assert all(part.quality.change.low <= part.quality.there - part.quality.here <= part.quality.change.high for part in record.parts)
    assert "| Q4_0 | accuracy |" in (tmp_path / "out" / "README.md").read_text()


def test_onnxruntime_alone_classifies_as_the_adapter_does_whatever_the_batch(words, tmp_path):
    pytest.importorskip("onnxscript", reason='pip install "hatrack[onnx]"')
    import onnxruntime

    export(words, "words", Wish("onnx", tmp_path / "out", ("FP32", "INT8"), rows=0))
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx", providers=["CPUExecutionProvider"])
    rows = words.files.tokenizer(["red lamp", "a green cloud is in the river of stone", "blue"]).input_ids
    ids = np.zeros((3, max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)], mask[number, : len(row)] = row, 1
    logits, vectors = session.run(["logits", "sentence_embedding"], {"input_ids": ids, "attention_mask": mask})
    assert np.allclose(logits, ours(words, "words", rows).numpy(), atol=1e-4)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (tmp_path / "out" / "model-int8.onnx").stat().st_size < (tmp_path / "out" / "model.onnx").stat().st_size
    assert json.loads((tmp_path / "out" / "labels.json").read_text()) == ["blue", "green", "red"]


def test_a_bare_python_with_transformers_and_torch_runs_the_folder(words, tmp_path):
    export(words, "words", Wish("folder", tmp_path / "out", rows=0))
    texts = [row.text for row in words.prepare("words").splits.test[:4]]
    blocked = "import runpy, sys; sys.modules['hatrack'] = None; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-c", blocked, str(tmp_path / "out" / "classify.py"), *texts],
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    labels = tuple(line.split("\t")[0] for line in ran.stdout.splitlines())
    ours(words, "words")
    manifest = words.registry.resolve("words")
    assert labels == adapter_answers(words.host, manifest.digest, words.prepare("words").splits.test[:4])
    code = [line for line in (tmp_path / "out" / "classify.py").read_text().splitlines() if line.strip()]
    assert len(code) <= 35


def test_the_modelfile_asks_as_the_adapter_was_trained(bench, tmp_path):
    pytest.importorskip("xllamacpp", reason='pip install "hatrack[llamacpp]"')
    export(bench, "plain", Wish("ollama", tmp_path / "out", ("Q8_0", "F16"), rows=0))
    text = (tmp_path / "out" / "Modelfile").read_text()
    assert "FROM ./plain-1.0.0-Q8_0.gguf\n" in text
    assert 'SYSTEM """Name the colour."""' in text
    assert 'PARAMETER stop "<|im_end|>"' in text
    assert '{{ if eq .Role "system" }}<|im_start|>system\n{{ .Content }}<|im_end|>\n' in text
    assert text.count('"""') == 4
    assert "FROM ./plain-1.0.0-F16.gguf\n" in (tmp_path / "out" / "Modelfile.F16").read_text()


def test_the_vllm_folder_reserves_room_for_the_rank(bench, tmp_path):
    export(bench, "plain", Wish("vllm", tmp_path / "out", base_id="org/base", rows=0))
    script = tmp_path / "out" / "serve.sh"
    assert "vllm serve org/base --enable-lora --max-lora-rank 8 --lora-modules plain-1.0.0=./adapter" in script.read_text()
    assert os.access(script, os.X_OK)
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0


def test_vllm_itself_serves_the_folder_by_its_script(bench, tmp_path):
    python = os.environ.get(REAL)
    if not python:
        pytest.skip(f"{REAL} names no Python with vLLM")
    export(bench, "plain", Wish("vllm", tmp_path / "out", base_id=str(bench.files.folder), rows=0))
    manifest, rows = bench.registry.resolve("plain"), bench.prepare("plain").splits.test[:8]
    ours(bench, "plain")
    wanted = adapter_answers(bench.host, manifest.digest, rows)
    with served(tmp_path / "out", python) as url:
        heard = []
        for row in rows:
            talk = [{"role": "system", "content": "Name the colour."}, {"role": "user", "content": row.text}]
            body = {"model": "plain-1.0.0", "messages": talk, "temperature": 0, "max_tokens": 6}
            answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).json()
            heard.append(answer["choices"][0]["message"]["content"].strip())
    assert tuple(heard) == wanted


@contextlib.contextmanager
def served(folder, python):
    """``serve.sh`` with a port of its own, until vLLM answers; its command is found whether or not vLLM installed one."""
    command = folder.parent / "bin" / "vllm"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nshift\nexec {python} -m vllm.entrypoints.openai.api_server --model "$@"\n')
    command.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "VLLM_CPU_KVCACHE_SPACE": "1"}
    environment.pop("PYTHONPATH", None)
    options = ["--host", "127.0.0.1", "--port", port, "--dtype", "float32", "--enforce-eager", "--max-model-len", "256"]
    with (folder.parent / "vllm.log").open("w") as log:
        process = subprocess.Popen(
            ["sh", "serve.sh", *options], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )  # its workers are ended with it
    try:
        end = time.monotonic() + 300
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200:
                    break
            time.sleep(1)
        else:
            raise RuntimeError((folder.parent / "vllm.log").read_text()[-3000:])
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def test_nothing_is_written_when_the_disk_is_full(bench, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hatrack.models.exporters.peft.shutil.copyfile", full)
    with pytest.raises(StorageError, match="disk is full"):
        export(bench, "plain", Wish("peft", tmp_path / "out", rows=0))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_is_not_touched(bench, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ConfigError, match="no export"):
        export(bench, "plain", Wish("peft", tmp_path, rows=0))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_unknown_names_are_refused_with_the_nearest(bench, tmp_path):
    with pytest.raises(ConfigError) as refused:
        export(bench, "plain", Wish("guf", tmp_path / "out"))
    assert refused.value.fix == "did you mean gguf?"
    with pytest.raises(AdapterNotFound):
        export(bench, "plain@7.0.0", Wish("peft", tmp_path / "out"))
    with pytest.raises(ConfigError, match="precision") as refused:
        export(bench, "plain", Wish("gguf", tmp_path / "out", ("Q4_K",)))
    assert "llama-quantize" in refused.value.fix
    assert list(tmp_path.iterdir()) == []


def test_the_command_shows_what_leaving_cost(bench, tmp_path, hatrack):
    ran = hatrack("export", "plain", "--to", "peft", "--out", str(tmp_path / "out"), project=bench.project.root)
    assert ran.code == 0, ran.err
    assert "accuracy here" in ran.out
    assert "README.md" in ran.out
    ran = hatrack("export", "plain", "--to", "peft", "--out", str(tmp_path / "out"), "--json", project=bench.project.root)
    assert ExportRecord.model_validate_json(ran.out) == ExportRecord.model_validate_json((tmp_path / "out" / EXPORT).read_text())


def test_F19_a_version_of_another_base_is_refused(places, bench, tmp_path):
    import yaml

    from conftest import make_causal
    from projects import copy_of

    root = copy_of(bench.project.root, tmp_path)
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    (root / "hatrack.yaml").write_text(yaml.safe_dump({**config, "base": str(make_causal(tmp_path / "other", seed=3, width=64))}))
    with pytest.raises(AdapterMismatch, match="another base"):
        export(open_bench(root), "plain", Wish("peft", tmp_path / "out", rows=0))
