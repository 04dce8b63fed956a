"""Foreign adapters become versions: what PEFT and llama.cpp wrote is checked, probed, registered and measured."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from conftest import make_causal
from exported_projects import causal_project, encoder_project, open_bench
from hatrack.core.errors import AdapterBroken, AdapterError, AdapterMismatch, AdapterNotFound, ConfigError, HubUnreachable, ModelError
from hatrack.models.adapters.folder import read_card
from hatrack.models.causal import last_logits
from hatrack.models.host import ModelHost
from hatrack.workflows.export.run import Wish, export
from hatrack.workflows.take_in import Incoming, take_in
from projects import copy_of

PROMPTS = [[2, 60, 70, 80, 90], [2, 61, 71]]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.getbasetemp() / "exported"


@pytest.fixture
def bench(places, tmp_path):
    return open_bench(copy_of(causal_project(places), tmp_path))


@pytest.fixture(scope="module")
def foreign(places):
    """What plain PEFT saves, with random matrices in it, in 16 bits."""
    base = open_bench(causal_project(places)).files.folder
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    wrapped = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "down_proj"], task_type="CAUSAL_LM"))
    with torch.no_grad():
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
                parameter.copy_(parameter.half().float())
    folder = places / "what-peft-saved" / "foreign"
    wrapped.half().save_pretrained(folder)
    return folder


def logits(bench, manifest):
    host = ModelHost(bench.files)
    host.attach("x", bench.registry.folder(manifest))
    with host.using("x"):
        return last_logits(host.module, PROMPTS)


def names(bench):
    return set(bench.registry.names())


def test_what_plain_peft_saved_becomes_a_version_that_acts_as_in_peft(bench, foreign):
    manifest, report = take_in(bench, Incoming(str(foreign), "guest", system="Be brief."))
    assert (manifest.name, manifest.version, report) == ("guest", "1.0.0", None)
    assert manifest.config["imported"]["from"] == "foreign"
    assert manifest.config["options"] == {"r": 4, "lora_alpha": 8}
    card = read_card(bench.registry.folder(manifest))
    assert (card.task, card.system, card.base_fingerprint) == ("instruct", "Be brief.", bench.files.fingerprint)
    base = AutoModelForCausalLM.from_pretrained(bench.files.folder, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, foreign).eval()
    with torch.inference_mode():
        theirs = torch.stack([model(input_ids=torch.tensor([ids])).logits[0, -1] for ids in PROMPTS])
    assert torch.allclose(logits(bench, manifest), theirs, atol=1e-3)
    again, _ = take_in(bench, Incoming(str(foreign), "guest", system="Be brief."))
    assert again.version == "1.0.0", "the same adapter is one version"


@pytest.fixture
def hub(foreign, tmp_path, monkeypatch):
    """huggingface_hub's cache as it lays it out, with links to blobs: ``org/guest`` at its branch, and twice as strong at ``v2``."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--org--guest"
    for folder in ("blobs", "refs"):
        (repository / folder).mkdir(parents=True)
    for ref, commit, alpha in (("main", "0" * 40, 8), ("v2", "2" * 40, 16)):
        (repository / "refs" / ref).write_text(commit)
        snapshot = repository / "snapshots" / commit
        snapshot.mkdir(parents=True)
        for file in foreign.iterdir():
            content = file.read_bytes()
            if file.name == "adapter_config.json":
                content = json.dumps({**json.loads(content), "lora_alpha": alpha}).encode()
            blob = repository / "blobs" / hashlib.sha256(content).hexdigest()
            blob.write_bytes(content)
            (snapshot / file.name).symlink_to(Path("../../blobs") / blob.name)
    return repository


def test_a_hub_id_in_the_cache_becomes_the_version_that_its_folder_becomes(bench, foreign, hub):
    manifest, report = take_in(bench, Incoming("org/guest", "guest", system="Be brief."))
    assert (manifest.name, manifest.version, report) == ("guest", "1.0.0", None)
    assert bench.registry.resolve("guest") == manifest
    assert manifest.config["imported"]["from"] == "org/guest"
    local, _ = take_in(bench, Incoming(str(foreign), "local", system="Be brief."))
    assert manifest.weights_digest == local.weights_digest
    assert read_card(bench.registry.folder(manifest)) == read_card(bench.registry.folder(local))
    shutil.rmtree(hub)  # a cache, which may be cleared
    assert torch.equal(logits(bench, manifest), logits(bench, local))


def test_a_hub_id_may_name_a_revision(bench, hub):
    weak, _ = take_in(bench, Incoming("org/guest", "guest"))
    strong, _ = take_in(bench, Incoming("org/guest@v2", "guest"))
    assert (weak.config["options"]["lora_alpha"], strong.config["options"]["lora_alpha"]) == (8, 16)
    assert strong.config["imported"]["from"] == "org/guest@v2"
    assert not torch.allclose(logits(bench, weak), logits(bench, strong), atol=1e-3)


def test_it_is_measured_where_the_project_has_data_for_its_name(bench, foreign):
    manifest, report = take_in(bench, Incoming(str(foreign), "plain"))
    assert manifest.config["labels"] == ["blue", "green", "red"]
    assert manifest.config["system"] == "Name the colour."
    assert report.adapter_digest == manifest.digest
    assert not report.passed
    assert bench.registry.report(manifest) == report


def test_what_left_comes_back_as_the_same_adapter(bench, tmp_path):
    own = bench.registry.resolve("plain")
    export(bench, "plain", Wish("peft", tmp_path / "out", rows=0))
    manifest, report = take_in(bench, Incoming(str(tmp_path / "out"), "back"))
    assert report is None
    assert torch.equal(logits(bench, manifest), logits(bench, own))
    assert manifest.weights_digest == own.weights_digest
    assert manifest.config["labels"] == own.config["labels"]


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "hatrack.json", "probe.safetensors"])
def test_a_file_that_is_not_the_one_that_left_is_refused(bench, tmp_path, file):
    export(bench, "plain", Wish("peft", tmp_path / "out", rows=0))
    path = tmp_path / "out" / file
    path.write_bytes(path.read_bytes()[:-1] + b"}" * (file == "hatrack.json"))
    if file == "hatrack.json":
        path.write_text(path.read_text()[:-1] + " }")
    with pytest.raises(AdapterBroken, match="not the file that was exported"):
        take_in(bench, Incoming(str(tmp_path / "out"), "back"))
    assert "back" not in names(bench)


def test_a_classifier_with_its_head_comes_back_too(places, tmp_path):
    bench = open_bench(copy_of(encoder_project(places), tmp_path))
    export(bench, "words", Wish("peft", tmp_path / "out", rows=0))
    manifest, _ = take_in(bench, Incoming(str(tmp_path / "out"), "back"))
    assert manifest.weights_digest == bench.registry.resolve("words").weights_digest


def test_a_lora_in_gguf_becomes_a_version(bench, tmp_path):
    pytest.importorskip("xllamacpp", reason='pip install "hatrack[llamacpp]"')
    export(bench, "plain", Wish("gguf-adapter", tmp_path / "out", rows=0))
    manifest, report = take_in(bench, Incoming(str(tmp_path / "out" / "plain-1.0.0.gguf"), "back", task="instruct"))
    assert report is None
    assert torch.allclose(logits(bench, manifest), logits(bench, bench.registry.resolve("plain")), atol=1e-4)


def test_F22_pickled_weights_are_never_opened(bench, foreign, tmp_path):
    folder = shutil.copytree(foreign, tmp_path / "pickled")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(AdapterBroken, match="pickled"):
        take_in(bench, Incoming(str(folder), "guest"))


def test_F22_a_config_that_asks_for_something_else_is_refused(bench, foreign, tmp_path, edit_config):
    with pytest.raises(AdapterBroken, match="does not apply"):
        take_in(bench, Incoming(str(edit_config(foreign, modules_to_save=["lm_head"])), "guest"))
    with pytest.raises(AdapterBroken, match="form of adapter"):
        take_in(bench, Incoming(str(edit_config(foreign, peft_type="OFT")), "guest"))
    assert "guest" not in names(bench)


def test_F19_another_base_is_refused_by_name_by_shape_and_by_fingerprint(bench, foreign, tmp_path, edit_config):
    renamed = edit_config(foreign, base_model_name_or_path="org/other-model-7b")
    with pytest.raises(AdapterMismatch, match="another base model") as refused:
        take_in(bench, Incoming(str(renamed), "guest"))
    assert "--same-base" in refused.value.fix
    take_in(bench, Incoming(str(renamed), "guest", same_base=True))

    import yaml

    path = bench.project.root / "hatrack.yaml"
    config = yaml.safe_load(path.read_text())
    export(bench, "plain", Wish("peft", tmp_path / "out", rows=0))
    for folder, made in (("narrow", {"width": 48}), ("seeded", {"width": 64, "seed": 5})):
        path.write_text(yaml.safe_dump({**config, "base": str(make_causal(tmp_path / folder, **made))}))
        other = open_bench(bench.project.root)
        if folder == "narrow":
            with pytest.raises(AdapterError, match="do not fit the base"):
                take_in(other, Incoming(str(foreign), "stranger", same_base=True))
        with pytest.raises(AdapterMismatch, match="another base model"):
            take_in(other, Incoming(str(tmp_path / "out"), "stranger"))
        assert "stranger" not in names(other)


def test_F18_an_adapter_without_an_effect_is_refused(bench, places, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(bench.files.folder, dtype=torch.float32)
    get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM")).save_pretrained(tmp_path / "fresh")
    with pytest.raises(AdapterBroken, match="changes nothing"):
        take_in(bench, Incoming(str(tmp_path / "fresh"), "guest"))


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_truncated_file_is_refused(bench, foreign, tmp_path, file):
    folder = shutil.copytree(foreign, tmp_path / "short")
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(AdapterBroken):
        take_in(bench, Incoming(str(folder), "guest"))
    assert "guest" not in names(bench)


def test_a_truncated_gguf_is_refused(bench, tmp_path):
    pytest.importorskip("xllamacpp", reason='pip install "hatrack[llamacpp]"')
    export(bench, "plain", Wish("gguf-adapter", tmp_path / "out", rows=0))
    whole = (tmp_path / "out" / "plain-1.0.0.gguf").read_bytes()
    for share in (0.0, 0.01, 0.5, 0.99):
        (tmp_path / "short.gguf").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(AdapterError):
            take_in(bench, Incoming(str(tmp_path / "short.gguf"), "guest"))
    assert "guest" not in names(bench)


@pytest.mark.parametrize(
    ("wish", "fault"),
    [
        ({"name": "../x"}, "'../x'"),
        ({"name": "base"}, "not be 'base'"),
        ({"name": "guest", "task": "classify"}, "--task must be one of"),
        ({"name": "plain", "system": "x"}, "leave out --task and --system"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(bench, foreign, wish, fault):
    with pytest.raises(ConfigError) as refused:
        take_in(bench, Incoming(str(foreign), **wish))
    assert any(fault in sentence for sentence in refused.value.faults)


def test_what_is_not_there_is_refused(bench, tmp_path):
    with pytest.raises(AdapterNotFound):
        take_in(bench, Incoming(str(tmp_path / "nowhere"), "guest"))
    with pytest.raises((HubUnreachable, ModelError)):
        take_in(bench, Incoming("nobody/no-adapter", "guest"))
    with pytest.raises(AdapterNotFound, match="cannot be the id"):
        take_in(bench, Incoming("org/na--me", "guest"))
    with pytest.raises(AdapterBroken, match="no adapter"):
        take_in(bench, Incoming(str(tmp_path), "guest"))


def test_the_command_says_what_it_is_now(bench, foreign, hub, hatrack):
    ran = hatrack("import", str(foreign), "--as", "guest", project=bench.project.root)
    assert ran.code == 0, ran.err
    assert "guest@1.0.0" in ran.out
    assert "not measured" in ran.out
    ran = hatrack("import", "org/guest", "--as", "from-hub", project=bench.project.root)
    assert ran.code == 0, ran.err
    assert "from-hub@1.0.0" in ran.out
    ran = hatrack("import", str(foreign), "--as", "plain", "--json", project=bench.project.root)
    assert ran.code == 1, "it does not beat the base"
    assert json.loads(ran.out)["report"]["adapter"] == "plain"


@pytest.fixture
def edit_config(tmp_path):
    def edit(folder, **changes):
        copy = shutil.copytree(folder, tmp_path / f"edited-{len(list(tmp_path.iterdir()))}")
        path = copy / "adapter_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        return copy

    return edit
