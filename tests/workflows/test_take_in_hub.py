"""An adapter that Hatrack exported and somebody put on a hub: what is fetched of it, and that its hashes are looked at.

The command is a process of its own: huggingface_hub reads its variables once.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from exported_projects import causal_project, open_bench
from hatrack.core.exported import EXPORT
from hatrack.workflows.export.run import Wish, export
from hub_server import hub_server
from projects import copy_of


@pytest.fixture
def bench(tmp_path, tmp_path_factory):
    return open_bench(copy_of(causal_project(tmp_path_factory.getbasetemp() / "exported"), tmp_path))


@pytest.fixture
def there(bench, tmp_path):
    """The folder that the hub shows: an export, and what else people put beside it."""
    folder = tmp_path / "there"
    export(bench, "plain", Wish("peft", folder, rows=0))
    for name in ("adapter_model.bin", "training_args.bin", "optimizer.pt"):
        (folder / name).write_bytes(b"pickled")
    return folder


def fetched(bench, folder, tmp_path):
    """``hatrack import`` of the folder from a hub: how it ended, and the names that it asked the hub for."""
    with hub_server("org/guest", folder) as hub:
        where = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
        command = [sys.executable, "-m", "hatrack", "import", "org/guest", "--as", "back", "--project", str(bench.project.root)]
        ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **where}, check=False, timeout=120)
        return ran, hub.asked


def test_an_export_comes_back_with_all_that_is_looked_at_and_nothing_pickled(bench, there, tmp_path):
    ran, asked = fetched(bench, there, tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert asked == {"adapter_config.json", "adapter_model.safetensors", EXPORT, "hatrack.json", "probe.safetensors"}
    assert bench.registry.resolve("back").weights_digest == bench.registry.resolve("plain").weights_digest


def test_a_file_that_is_not_the_one_that_left_is_refused(bench, there, tmp_path):
    path = there / "hatrack.json"
    path.write_text(path.read_text()[:-1] + " }")
    ran, _ = fetched(bench, there, tmp_path)
    assert ran.returncode == 2, ran.stdout
    assert "hatrack.json is not the file that was exported" in ran.stderr
    assert "back" not in bench.registry.names()
