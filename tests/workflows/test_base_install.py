"""The main job needs nothing but what the base install brings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hatrack
from made_tables import table_project
from projects import copy_of, trained_by_text


def brought_by(package: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """Names of all distributions that installing ``package`` installs."""
    key = (canonicalize_name(package), extras)
    if key in seen:
        return
    seen.add(key)
    yield key[0]
    try:
        wanted = distribution(package).requires or []
    except PackageNotFoundError:  # for another platform
        return
    for line in wanted:
        requirement = Requirement(line)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield from brought_by(requirement.name, frozenset(requirement.extras), seen)


@pytest.fixture(scope="module")
def base_install(tmp_path_factory) -> Path:
    """A folder of packages that holds those of the base install, and no other: links to those that are installed here."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "hatrack").symlink_to(Path(hatrack.__file__).parent)  # an editable install names no folder of its own
    for name in set(brought_by("hatrack", frozenset({"quickstart"}), set())):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not top.endswith(".pth") and not (folder / top).exists():
                (folder / top).symlink_to(Path(str(found.locate_file(top))))
    assert (folder / "torch").is_dir()
    return folder


@pytest.fixture
def python(base_install, tmp_path):
    """Run Python in a process of its own that finds the base install only."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(base_install), "OMP_NUM_THREADS": "1"}
        return subprocess.run([sys.executable, "-S", *arguments], capture_output=True, text=True, env=environment, cwd=tmp_path)

    return run


def test_training_proof_promotion_and_use(python, tiny_causal, tmp_path):
    root = copy_of(trained_by_text(tiny_causal), tmp_path)

    def run(*arguments: str, code: int = 0) -> str:
        ran = python("-m", "hatrack", *arguments, "-p", str(root))
        assert ran.returncode == code, ran.stdout[-2000:] + ran.stderr[-2000:]
        return ran.stdout + ran.stderr

    for extra in ("numba", "fastapi", "faiss"):
        assert python("-c", f"import {extra}").returncode, "what extras bring is not there"
    config = (root / "hatrack.yaml").read_text()
    (root / "hatrack.yaml").write_text(config.replace("epochs: 2", "epochs: 1"))  # a version that is not there yet
    assert "adapter" in run("adapt", "shy", code=1), "trained and measured; it learned too little to be promoted"
    said = " ".join(run("promote", "shy", "--override", "to see it promoted").split())
    assert "not measured in 8 bits: the decoder needs the package numba" in said, "what was left out is said"
    assert "is champion" in said
    run("ask", "shy", "one or two?")


def test_a_table_model_of_the_extra_tables_names_the_extra(python, tmp_path):
    root = table_project(tmp_path / "project", model="xgboost")
    ran = python("-m", "hatrack", "table", "train", "loans", "-p", str(root))
    assert (ran.returncode, ran.stdout) == (2, ""), ran
    assert "Traceback" not in ran.stderr
    assert "the model xgboost needs the package xgboost, which is not installed" in ran.stderr
    assert 'pip install "hatrack[tables]"' in ran.stderr
    assert not any((root / ".hatrack" / "blobs").rglob("*")), "no version appears"


def test_auto_trains_a_table_with_what_is_there_and_names_the_extra(python, tmp_path):
    root = table_project(tmp_path / "project", model="auto")
    ran = python("-m", "hatrack", "table", "train", "loans", "-p", str(root))
    assert ran.returncode == 0, ran
    assert "loans@1.0.0" in ran.stdout
    assert 'not tried: xgboost and blend, which need pip install "hatrack[tables]"' in ran.stderr
