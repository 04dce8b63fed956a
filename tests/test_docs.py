"""The pages say what the code does: generated ones are fresh, commands and keys they name exist."""

import ast
import importlib
import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml

from hatrack.api.app import create_routes
from hatrack.cli.main import COMMANDS, program
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


def test_the_generated_pages_are_those_of_this_code(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")  # no page hangs on the width of a screen
    for path, text in generator().pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is old: run python docs/generate.py"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_commands_holds_every_option_that_help_shows(command, hatrack):
    made = program(command)
    parts = [one.name for one in made.registered_commands] if made.registered_callback else []
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for words in [(command, part) for part in parts] or [(command,)]:
        _, heading, behind = page.partition(f"# hatrack {' '.join(words)}\n")
        assert heading
        section = behind.partition("\n#")[0]
        lines = [line for line in hatrack(*words, "--help").out.splitlines() if line.startswith("  -")]
        shown = {name for line in lines for name in re.findall(r"--[a-z0-9-]+", re.split("  +", line.strip())[0])}
        assert "--help" in shown
        assert [name for name in shown - {"--help"} if f"`{name}`" not in section] == []


def test_the_page_of_routes_names_every_route_and_field():
    document = create_routes().openapi()
    page = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    routes = [f"`{method.upper()} {path}`" for path, methods in document["paths"].items() for method in methods]
    fields = {
        f"`{name}`" for kind, schema in document["components"]["schemas"].items() for name in schema["properties"] if kind != "Refused"
    }
    assert len(routes) > 25
    assert len(fields) > 60
    assert [one for one in (*routes, *sorted(fields)) if one not in page] == []


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


def shown_code():
    """Everything in Python that users are shown: name of the file and its text."""
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", *(ROOT / "examples").rglob("*.md")]:
        yield from ((page.name, block) for block in blocks(page, "python"))
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        yield from ((notebook.name, "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code")
    for file in (ROOT / "examples").rglob("*.py"):
        yield file.name, file.read_text(encoding="utf-8")


def imports(code):
    """Module and name of everything of Hatrack that is imported. Lines for the shell of a notebook are no Python."""
    tree = ast.parse(re.sub(r"^\s*[%!].*$", "", code, flags=re.MULTILINE))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "hatrack":
            yield from ((node.module, one.name) for one in node.names)


def test_whatever_the_pages_notebooks_and_examples_import_stands_in_the_reference():
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    paths = [path.rpartition(".") for path in re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE)]
    described = [getattr(importlib.import_module(module), name) for module, _, name in paths]
    codes = list(shown_code())
    own = {path.replace("/", ".") for _, code in codes for path in re.findall(r"\A# src/(\S+)\.py", code)}  # modules that a page makes
    shown = {(file, module, name) for file, code in codes for module, name in imports(code) if module not in own}
    assert len({file for file, _, _ in shown}) > 5
    for file, module, name in sorted(shown):
        found = getattr(importlib.import_module(module), name)
        assert any(found is one for one in described), f"{file} imports {module}.{name}, which docs/python.md does not describe"


def test_the_figures_in_the_readme_are_those_of_the_newest_recorded_run():
    results = sorted((ROOT / "benchmarks" / "domains" / "results").glob("*.json"))
    assert results, "the README quotes benchmarks/domains; its results must be kept"
    claims = json.loads(results[-1].read_text(encoding="utf-8"))["claims"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for domain in ("legal", "finance", "medical"):
        for key in (f"{domain}_base", f"{domain}_adapter", f"{domain}_encoder_base", f"{domain}_encoder_adapter"):
            assert f"{claims[key]:.3f}" in readme, f"{key} is {claims[key]:.3f}, the README says otherwise"


def test_every_picture_of_a_page_can_be_taken_anew():
    shown = {name for page in PAGES for name in re.findall(r"!\[[^\]]*\]\(([\w.-]+\.png)\)", page.read_text(encoding="utf-8"))}
    scripts = [ROOT / "docs" / "pictures.py", ROOT / "benchmarks" / "methods" / "plot.py"]
    made = {name for script in scripts for name in re.findall(r'"([\w.-]+\.png)"', script.read_text(encoding="utf-8"))}
    assert shown == made == {path.name for path in (ROOT / "docs").glob("*.png")}
