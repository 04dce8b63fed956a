"""What 8 bits change: measured on the test rows through the server's own engine, kept, and obeyed by the server."""

from __future__ import annotations

import json

import pytest
import yaml

from hatrack.core.config_file import read_config
from hatrack.core.precision import INT8, PrecisionRecord
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hatrack.serving.engine import Engine
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings
from projects import copy_of, trained_by_text, trained_encoder


@pytest.fixture
def root(tiny_causal, tmp_path):
    return copy_of(trained_by_text(tiny_causal), tmp_path)


def mixed(root):
    service = ModelService(Project(root), read_config(root), EngineSettings(kv_gb=0.01, slots=2, context=256))
    service.start()
    try:
        return service.mixed(service.resolve("colours@latest"))
    finally:
        service.stop(drain=False)


def test_it_is_measured_kept_and_obeyed(root, hatrack):
    ran = hatrack("eval", "colours", "--int8", "--json", project=root)
    assert ran.code == 0, ran.err
    record = PrecisionRecord.model_validate(json.loads(ran.out))
    registry = Registry(Project(root))
    manifest = registry.resolve("colours@latest")
    assert record.adapter_digest == manifest.digest
    assert record.rows > 10
    assert record.full > 0.5
    assert record.low <= record.int8 - record.full <= record.high
    assert PrecisionRecord.read(registry.attached(INT8)[manifest.digest]) == record
    assert mixed(root)
    # a version that was found to lose more than is allowed leaves the kernels
    worse = root / "worse.json"
    worse.write_text(record.model_copy(update={"int8": record.full - 0.1}).model_dump_json())
    registry.attach(manifest, INT8, worse)
    assert not mixed(root)
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    (root / "hatrack.yaml").write_text(yaml.safe_dump({**config, "serve": {"max_int8_loss": 0.2}}))
    assert mixed(root)


def test_a_version_that_lost_too_much_is_measured_in_8_bits_again(root, hatrack, monkeypatch):
    ran = hatrack("eval", "colours", "--int8", "--json", project=root)
    record = PrecisionRecord.model_validate(json.loads(ran.out))
    registry = Registry(Project(root))
    worse = root / "worse.json"
    worse.write_text(record.model_copy(update={"int8": record.full - 0.1}).model_dump_json())
    registry.attach(registry.resolve("colours@latest"), INT8, worse)
    precisions = []
    submit = Engine.submit

    def counted(engine, *args):
        precisions.append(engine.settings.precision)
        return submit(engine, *args)

    monkeypatch.setattr(Engine, "submit", counted)
    again = PrecisionRecord.model_validate(json.loads(hatrack("eval", "colours", "--int8", "--json", project=root).out))
    assert (precisions.count("int8"), precisions.count("fp32")) == (record.rows, record.rows)
    assert again.int8 == record.int8


def test_the_words_say_what_follows(root, hatrack):
    ran = hatrack("eval", "colours", "--int8", project=root)
    assert ran.code == 0, ran.err
    assert "in full precision" in ran.out
    assert "serve.max_int8_loss" in ran.out


def test_an_encoder_is_always_in_full_precision(tiny_encoder, tmp_path, hatrack):
    ran = hatrack("eval", "words", "--int8", project=copy_of(trained_encoder(tiny_encoder), tmp_path))
    assert ran.code == 2
    assert "generated answers" in ran.err


def test_a_promotion_measures_it_once(root, hatrack):
    registry = Registry(Project(root))
    manifest = registry.resolve("colours@latest")
    assert manifest.digest not in registry.attached(INT8)
    ran = hatrack("promote", "colours", "--override", "a test", project=root)
    assert ran.code == 0, ran.err
    assert "served in 8 bits" in ran.err
    first = registry.attached(INT8)[manifest.digest].read_text()
    assert hatrack("promote", "colours", "--override", "again", project=root).code == 0
    assert registry.attached(INT8)[manifest.digest].read_text() == first


def test_a_promotion_goes_on_where_it_cannot_be_measured(root, hatrack):
    for file in root.glob("*.jsonl"):
        file.unlink()
    ran = hatrack("promote", "colours", "--override", "a test", project=root)
    assert ran.code == 0, ran.err
    assert "not measured in 8 bits" in ran.err
    assert Registry(Project(root)).aliases("colours")["champion"]


def test_a_refused_promotion_measures_nothing(root, hatrack):
    registry = Registry(Project(root))
    manifest = registry.resolve("colours@latest")
    assert hatrack("promote", "colours", project=root).code == 2
    assert manifest.digest not in registry.attached(INT8)
