"""What is published: a wheel that is whole and small and runs by itself, a source that builds it, a bill of what was tested with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "hatrack"
LARGEST = 5_000_000


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the source archive, as ``make dist`` builds them."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    [wheel], [source] = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, source


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(built[0]) as wheel:
        wheel.extractall(folder)
    return folder


def test_the_wheel_holds_the_package_and_nothing_else_and_is_small(built, unpacked):
    held = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    own = {
        f"hatrack/{path.relative_to(SOURCE).as_posix()}" for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in held if ".dist-info/" not in name} == own
    assert {"hatrack/py.typed", "hatrack/api/web/page.js"} <= held
    assert built[0].stat().st_size < LARGEST


def test_it_says_what_it_is_and_names_no_index(unpacked):
    [path] = unpacked.glob("*.dist-info/METADATA")
    said = Parser().parsestr(path.read_text(encoding="utf-8"))
    assert (said["Name"], said["License-Expression"], said["Requires-Python"]) == ("hatrack", "Apache-2.0", ">=3.11")
    assert not [line for line in said.get_all("Requires-Dist") if "@" in line.partition(";")[0]], "dependencies come from an index"
    version = subprocess.run([sys.executable, "-m", "hatrack", "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.split()[1] == said["Version"]


def test_the_command_of_the_wheel_runs_without_the_source(unpacked, tmp_path):
    code = "import hatrack, sys; print(hatrack.__file__); from hatrack.cli.main import main; main(sys.argv[1:])"
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    for arguments in (["--help"], ["advise", "--help"], ["methods", "--help"]):
        command = [sys.executable, "-c", code, *arguments]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.startswith(str(unpacked))


def test_the_source_has_what_both_commands_need(built):
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"Makefile", "pyproject.toml", "constraints.txt", "models.txt", "models-pii.txt", "README.md", "LICENSE", "mkdocs.yml"}
    assert needed <= names
    assert {"tests/conftest.py", "docs/errors.md", "benchmarks/run.py", "deploy/Dockerfile", "notebooks/techniques.ipynb"} <= names
    assert not [name for name in names if name.startswith((".venv", ".hatrack", ".ci", "hatrack-quickstart"))]


def test_the_bill_of_materials_names_what_is_installed(tmp_path):
    out = tmp_path / "hatrack.cdx.json"
    program = Path(sys.executable).with_name("cyclonedx-py")
    command = [str(program), "environment", sys.executable, "--pyproject", str(ROOT / "pyproject.toml"), "--no-validate", "-o", str(out)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    bill = json.loads(out.read_text(encoding="utf-8"))
    listed = {part["name"].lower(): part["version"] for part in bill["components"]}
    assert bill["metadata"]["component"]["name"] == "hatrack"
    from importlib.metadata import version

    for name in ("torch", "transformers", "peft", "safetensors"):
        assert listed[name] == version(name)
