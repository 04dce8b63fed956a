"""What every export of a version promises; a new one is tested here by being in the table."""

from __future__ import annotations

import hashlib
import json

import pytest

from hatrack.core.project import Project
from hatrack.registry.exporters.base import VERSION_EXPORTS
from hatrack.registry.promote import promote
from hatrack.registry.store import Registry
from made_versions import added, report


@pytest.fixture(params=VERSION_EXPORTS.names())
def kind(request):
    if request.param == "mlflow":
        pytest.importorskip("mlflow")
    return request.param


@pytest.fixture
def registry(tmp_path):
    return Registry(Project(tmp_path))


def out_of(kind, tmp_path):
    return {"oci": str(tmp_path / "layout"), "mlflow": f"sqlite:///{tmp_path / 'ml.db'}"}[kind]


def exported(kind, out, tmp_path):
    """``{(name, version): ({file: bytes}, digest)}`` as another program reads it."""
    if kind == "oci":
        return dict(map(oci_version, [(tmp_path / "layout", one) for one in oci_index(tmp_path / "layout")]))
    import mlflow

    client, found = mlflow.MlflowClient(out, out), {}
    for model in client.search_registered_models():
        for one in client.search_model_versions(f"name = '{model.name}'"):
            folder = tmp_path / "fetched" / str(one.version)
            folder.mkdir(parents=True, exist_ok=True)
            client.download_artifacts(one.run_id, "adapter", str(folder))
            files = {path.name: path.read_bytes() for path in (folder / "adapter").iterdir()}
            found[model.name, one.tags["hatrack.version"]] = (files, one.tags["hatrack.digest"])
    return found


def oci_index(layout):
    assert json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((layout / "index.json").read_text())
    assert index["schemaVersion"] == 2
    return index["manifests"]


def oci_bytes(layout, descriptor):
    content = (layout / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")).read_bytes()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
    assert len(content) == descriptor["size"]
    return content


def oci_version(place):
    layout, entry = place
    made = json.loads(oci_bytes(layout, entry))
    record = json.loads(oci_bytes(layout, made["config"]))
    assert made["config"]["mediaType"] == "application/vnd.hatrack.manifest.v1+json"
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == f"{record['name']}-{record['version']}"
    files = {one["annotations"]["org.opencontainers.image.title"]: oci_bytes(layout, one) for one in made["layers"]}
    files.pop("hatrack-report.json", None)
    return (record["name"], record["version"]), (files, made["annotations"]["hatrack.digest"])


def test_every_file_arrives_with_the_version_and_its_digest(kind, registry, tmp_path):
    first, second = added(registry, tmp_path / "a"), added(registry, tmp_path / "b", weights="other")
    registry.add_report(second, report(second))
    promote(registry, "legal@1.0.1")
    out = out_of(kind, tmp_path)
    for manifest in (first, second):
        assert "legal" in VERSION_EXPORTS.get(kind)().export(registry, manifest, out)
    found = exported(kind, out, tmp_path)
    assert {key: digest for key, (_, digest) in found.items()} == {("legal", m.version): m.digest for m in (first, second)}
    for manifest in (first, second):
        files = found["legal", manifest.version][0]
        assert {name: hashlib.sha256(content).hexdigest() for name, content in files.items()} == manifest.files


def test_what_is_exported_twice_is_there_once(kind, registry, tmp_path):
    manifest, out = added(registry, tmp_path / "a"), out_of(kind, tmp_path)
    made = {VERSION_EXPORTS.get(kind)().export(registry, manifest, out) for _ in range(2)}
    assert len(made) == len(exported(kind, out, tmp_path)) == 1


def test_the_champion_is_mlflows_champion_and_its_scores_are_metrics(registry, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    manifest, out = added(registry, tmp_path / "a"), out_of("mlflow", tmp_path)
    registry.add_report(manifest, report(manifest))
    VERSION_EXPORTS.get("mlflow")().export(registry, manifest, out)
    client = mlflow.MlflowClient(out, out)
    with pytest.raises(mlflow.exceptions.MlflowException):
        client.get_model_version_by_alias("legal", "champion")
    promote(registry, "legal")
    VERSION_EXPORTS.get("mlflow")().export(registry, manifest, out)
    found = client.get_model_version_by_alias("legal", "champion")
    assert client.get_run(found.run_id).data.metrics["adapter.accuracy"] == 0.9
