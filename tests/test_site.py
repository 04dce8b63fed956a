"""The documentation as pages: it builds without a network, nothing in it leads nowhere, and no page is left out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    proxies = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https", "all")}  # whatever would be fetched fails
    ran = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **proxies, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return folder


def test_links_lead_somewhere_and_no_page_is_left_out(site):
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    named = set(re.findall(r"'([a-z0-9-]+\.md)'", str(config["nav"])))
    assert named == {path.name for path in (ROOT / "docs").glob("*.md")}
    assert {path.stem for path in site.glob("*.html")} >= {name.removesuffix(".md") for name in named}


def test_pages_fetch_nothing_from_elsewhere(site):
    fetched = re.compile(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"(https?:)?//([^\"]*)\"")
    for page in site.glob("*.html"):
        elsewhere = [found.group(0) for found in fetched.finditer(page.read_text(encoding="utf-8")) if "canonical" not in found.group(0)]
        assert not elsewhere, page.name


def test_the_reference_of_python_is_made_from_the_code(site):
    page = (site / "python.html").read_text(encoding="utf-8")
    described = re.findall(r"^::: ([\w.]+)$", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(described) > 20
    for name in (*described, "hatrack.answering.assistant.Assistant.generate", "hatrack.answering.assistant.Assistant.classify"):
        assert f'id="{name}"' in page, name
