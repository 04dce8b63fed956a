"""The ``mlflow`` export: a registered model with a run behind it that holds files, record, report and figures.

MLflow numbers versions 1, 2, 3: the semantic version, the digest and the base are tags, and ``champion`` becomes the alias of
the same name where this version is it.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from hatrack.core.errors import RegistryUnreachable
from hatrack.core.extras import require
from hatrack.core.lineage import EvalReport, Manifest
from hatrack.registry.store import CHAMPION, Registry

__all__ = ["MlflowExport"]

_EXPERIMENT = "hatrack"


class MlflowExport:
    """Writes through MLflow's own client; nothing else is sent anywhere."""

    target = "an address of MLflow: http(s)://HOST, or sqlite:///FILE; default: MLFLOW_TRACKING_URI"

    def export(self, registry: Registry, manifest: Manifest, out: str) -> str:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when the package is imported
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # its own seven take minutes to say that nobody is there
        mlflow: Any = require("mlflow", extra="mlflow", reason="an export to MLflow")
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of each of its own tables
        uri = out or os.environ.get("MLFLOW_TRACKING_URI", "") or f"sqlite:///{Path('mlflow.db').absolute()}"
        try:
            client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
            number = _known(client, manifest) or _new(client, registry, manifest, uri)
            if registry.aliases(manifest.name).get(CHAMPION) == manifest.version:
                client.set_registered_model_alias(manifest.name, CHAMPION, number)
        except mlflow.exceptions.MlflowException as error:
            raise RegistryUnreachable(
                "MLflow does not take this version", given=f"{uri}: {' '.join(str(error).split())[:300]}",
                allowed=self.target, fix="look at the address and at the rights there",
            ) from error  # fmt: skip
        return f"{uri}: models:/{manifest.name}/{number}"


def _known(client: Any, manifest: Manifest) -> str:
    """MLflow's number of this very version, if it is there. A failed export left one without the tag, which does not count."""
    if not client.search_registered_models(f"name = '{manifest.name}'"):
        return ""
    found = client.search_model_versions(f"name = '{manifest.name}'")
    return next((str(one.version) for one in found if one.tags.get("hatrack.digest") == manifest.digest), "")


def _new(client: Any, registry: Registry, manifest: Manifest, uri: str) -> str:
    report = registry.report(manifest)
    run = client.create_run(_experiment(client, uri), run_name=f"{manifest.name}-{manifest.version}", tags=_tags(manifest))
    client.log_artifacts(run.info.run_id, str(registry.files(manifest)), "adapter")
    client.log_text(run.info.run_id, manifest.model_dump_json(indent=1), "manifest.json")
    for name, value in _figures(manifest, report).items():
        client.log_metric(run.info.run_id, name, value)
    if report is not None:
        client.log_text(run.info.run_id, report.model_dump_json(indent=1), "report.json")
    client.set_terminated(run.info.run_id)
    if not client.search_registered_models(f"name = '{manifest.name}'"):
        client.create_registered_model(manifest.name)
    source = f"{run.info.artifact_uri}/adapter"
    made = client.create_model_version(manifest.name, source, run_id=run.info.run_id, tags=_tags(manifest))
    return str(made.version)


def _experiment(client: Any, uri: str) -> str:
    found = client.get_experiment_by_name(_EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    # MLflow would put files into the folder that this command happens to run in
    beside = Path(uri.removeprefix("sqlite:///")).absolute().with_suffix("") if uri.startswith("sqlite:///") else None
    return str(client.create_experiment(_EXPERIMENT, artifact_location=beside.as_uri() if beside else None))


def _tags(manifest: Manifest) -> dict[str, str]:
    return {
        "hatrack.version": manifest.version,
        "hatrack.digest": manifest.digest,
        "hatrack.base": manifest.base,
        "hatrack.base_fingerprint": manifest.base_fingerprint,
        "hatrack.task": str(manifest.config["task"]),
        "hatrack.method": str(manifest.config["method"]),
        "hatrack.data": manifest.data.digest,
    }


def _figures(manifest: Manifest, report: EvalReport | None) -> dict[str, float]:
    figures = {f"training.{name}": value for name, value in manifest.training.items()}
    for system in report.systems if report else ():
        figures |= {f"{system.name}.{metric}": score.value for metric, score in system.scores.items()}
    return {"".join(c if c.isalnum() or c in "_-./ " else "_" for c in name): value for name, value in figures.items()}
