"""The pages say what the code does: generated ones are fresh, commands and keys they name exist."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml

from hatrack.cli.main import COMMANDS
from hatrack.core.config_file import parse_config
from hatrack.training.methods.base import option_model

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_the_generated_pages_are_those_of_this_code():
    for path, text in generator().pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is old: run python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_a_page_exists(page):
    for block in [*blocks(page, "sh"), *blocks(page, "console")]:
        for command in re.findall(r"^\s*\$?\s*hatrack ([a-z-]+)", block, re.MULTILINE):
            assert command in COMMANDS, f"{page.name} names `hatrack {command}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_config_in_a_page_is_accepted(page):
    for block in blocks(page, "yaml"):
        parsed = yaml.safe_load(block)
        if "adapters" in parsed or "tables" in parsed:
            assert parse_config(block, option_model)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_in_a_page_exists(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for block in blocks(page, "sh"):
        for target in re.findall(r"^\s*make ([a-z]+)", block, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name} names `make {target}`"


def test_the_figures_in_the_readme_are_those_of_the_newest_recorded_run():
    results = sorted((ROOT / "benchmarks" / "domains" / "results").glob("*.json"))
    assert results, "the README quotes benchmarks/domains; its results must be kept"
    claims = json.loads(results[-1].read_text(encoding="utf-8"))["claims"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for domain in ("legal", "finance", "medical"):
        for key in (f"{domain}_base", f"{domain}_adapter", f"{domain}_encoder_base", f"{domain}_encoder_adapter"):
            assert f"{claims[key]:.3f}" in readme, f"{key} is {claims[key]:.3f}, the README says otherwise"
