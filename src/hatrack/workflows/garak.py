"""Runs garak, from a virtual environment of its own, against an endpoint, and brings home its report.

garak's dependencies exclude ours, so it is never imported: ``python -m garak`` is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hatrack.core.checks import CheckReport
from hatrack.core.config_provider import checked_endpoint, host_of
from hatrack.core.errors import ConfigError, EvaluationError
from hatrack.evaluation.garak import read_garak
from hatrack.models.backends.endpoint import read_key

__all__ = ["LOCAL_PROBES", "run_garak"]

# Those that load nothing from a hub, neither data nor a detector's model.
LOCAL_PROBES = ("promptinject", "encoding.InjectBase64", "encoding.InjectROT13", "latentinjection.LatentInjectionReport")
_KEY = "OPENAICOMPATIBLE_API_KEY"  # where garak's generator looks for it
_SHOWN = 300


def run_garak(python: Path, url: str, model: str, key_env: str, folder: Path, probes: Sequence[str] = LOCAL_PROBES) -> CheckReport:
    """Ask the endpoint garak's probes.

    Args:
        python: the interpreter of the environment that garak is installed in.
        folder: where garak's report stays.

    Raises:
        ConfigError: no such interpreter or address, or no key. EvaluationError: garak failed, or its report is of no use.
    """
    try:
        address = checked_endpoint(url)
    except ValueError as error:
        raise ConfigError("this is no address of an API", given=url, allowed=str(error), fix="https://HOST/v1") from error
    folder.mkdir(parents=True, exist_ok=True)
    options = folder / "generator.json"
    options.write_text(
        json.dumps({"openai": {"OpenAICompatible": {"uri": f"{address}/", "temperature": 0.0, "stop": []}}}), encoding="utf-8"
    )
    command = [
        str(python), "-m", "garak", "--target_type", "openai.OpenAICompatible", "--target_name", model,
        "--generator_option_file", str(options), "--probes", ",".join(probes), "--generations", "1",
        "--report_prefix", str((folder / "garak").absolute()), "--narrow_output",
    ]  # fmt: skip
    environment = {**os.environ, _KEY: read_key(key_env)}
    report = folder / "garak.report.jsonl"
    report.unlink(missing_ok=True)
    try:
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # no shell
    except OSError as error:
        raise ConfigError(
            "there is no Python to run garak with",
            given=f"{python}: {error.strerror}",
            allowed="the interpreter of an environment with garak in it",
            fix="python3 -m venv garak-venv && garak-venv/bin/pip install garak, then --garak garak-venv/bin/python",
        ) from error
    if ran.returncode != 0 or not report.is_file():
        said = " ".join((ran.stderr or ran.stdout).replace(environment[_KEY], "***").split())[-_SHOWN:]
        raise EvaluationError("garak did not end well", given=said or f"exit code {ran.returncode}", fix="run it by hand and look")
    return read_garak(report, f"{model} at {host_of(address)}")
