"""Rules that hold for every file, so that nobody has to remember them."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hatrack.core.plugins import Plugins

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "hatrack"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST = 300
LONGER: set[str] = set()  # files that may be longer than LONGEST; names only ever leave this list

modules = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))


def dotted(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def top_level(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body


def defined(path: Path) -> set[str]:
    """Public classes and functions of a module; what a router takes is reached through the router."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in top_level(path) if isinstance(node, kinds) and not node.name.startswith("_")]
    return {node.name for node in found if not any(ast.unparse(one).startswith("router.") for one in node.decorator_list)}


def declared(path: Path) -> list[str] | None:
    """What ``__all__`` says; None where there is none."""
    for node in top_level(path):
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["__all__"]:
            return ast.literal_eval(node.value)
    return None


def plug_in_tables() -> dict[str, Plugins]:
    """Every ``Plugins`` table of the source, by kind."""
    tables = {}
    for path in sorted(SOURCE.rglob("base.py")):
        for value in vars(importlib.import_module(dotted(path))).values():
            if isinstance(value, Plugins):
                tables[value.kind] = value
    return tables


def builtins() -> list[tuple[str, str]]:
    return [(kind, name) for kind, table in plug_in_tables().items() for name in sorted(table._builtin)]


def tracked_texts() -> list[Path]:
    """What users read or run: source, pages, Makefile."""
    named = [ROOT / name for name in ("README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "models.txt", "constraints.txt")]
    folders = [path for folder in ("src", "docs", "benchmarks", "examples") for path in (ROOT / folder).rglob("*")]
    endings = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".jsonl", ".html", ".sh", ""}
    inside = [path for path in folders if path.is_file() and path.suffix in endings and "__pycache__" not in path.parts]
    return [path for path in [*named, *inside] if path.is_file()]


@modules
def test_no_file_is_longer_than_300_lines(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    name = str(path.relative_to(SOURCE))
    if name in LONGER:
        assert lines > LONGEST, f"{name} is short enough now: take it off the list LONGER"
    else:
        assert lines <= LONGEST


def test_the_list_of_longer_files_names_files_that_are_there():
    assert {str(path.relative_to(SOURCE)) for path in FILES} >= LONGER


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks"])
def test_there_is_no_room_for_odds_and_ends(folder):
    odd = {"util", "utils", "helper", "helpers", "common", "misc", "shared"}
    found = [path for path in (ROOT / folder).rglob("*") if path.stem.lower().strip("_") in odd]
    assert found == []


@modules
def test_all_is_exact(path):
    public, names = defined(path), declared(path)
    if "commands" in path.parts:
        assert names is None  # the entrance takes `run` from each by its file's name
        return
    if names is None:
        assert public == set(), f"{path.name} defines public names and has no __all__"
        return
    assert len(names) == len(set(names))
    assert public <= set(names), f"not in __all__: {sorted(public - set(names))}"
    module = importlib.import_module(dotted(path))
    for name in names:
        assert hasattr(module, name), f"__all__ names {name}, which is not there"
        assert not name.startswith("_") or name == "__version__"


@modules
def test_every_file_says_in_its_first_line_what_it_is(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert text, f"{path} has no docstring"


def test_every_room_has_a_docstring():
    rooms = [folder for folder in SOURCE.rglob("*") if folder.is_dir() and folder.name != "__pycache__"]
    for room in rooms:
        assert (room / "__init__.py").is_file(), f"{room} is no package"


def test_there_are_plug_in_tables_to_check():
    assert {
        "source",
        "form",
        "reader",
        "layout",
        "export",
        "document_task",
        "recogniser",
        "pack",
        "detector",
        "method",
        "objective",
        "metric",
        "merger",
        "engine",
        "backend",
        "provider",
        "embedder",
        "store",
        "approach",
        "blob_store",
        "version_export",
    } <= set(plug_in_tables())


@pytest.mark.parametrize("kind", sorted(plug_in_tables()))
def test_every_plug_in_point_is_run_through_one_conformance_test(kind):
    table = f"{kind.upper()}{'ES' if kind.endswith('ch') else 'S'}"
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "conformance").glob("test_*.py")]
    over_all = re.compile(rf"{table}\.names\(\)")
    assert any(over_all.search(text) for text in texts), f"no test in tests/conformance is parametrised over {table}.names()"


@pytest.mark.parametrize(("kind", "name"), builtins())
def test_every_built_in_is_documented(kind, name):
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    assert f"`{name}`" in pages, f"no page in docs/ names the {kind} `{name}`"


@pytest.mark.parametrize(("kind", "name"), builtins())
def test_every_built_in_can_be_had_under_its_name(kind, name):
    assert plug_in_tables()[kind].get(name) is not None


@modules
def test_F22_nothing_runs_code_that_comes_with_a_model(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"trust_remote_code\s*[=:]\s*True", text)
    assert not re.search(r"\btorch\.load\b|\bunpickle|weights_only\s*=\s*False|use_safetensors\s*=\s*False", text)
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        module = getattr(node, "module", "") or ""
        banned = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
        assert not banned & {name.split(".")[0] for name in [*names, module]}, f"line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "__import__"), f"line {node.lineno}"


@modules
def test_no_module_reads_the_version_from_the_package_that_holds_it(path):
    # one such line puts every module into an import cycle
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        from_the_top = isinstance(node, ast.ImportFrom) and node.module == "hatrack"
        assert not from_the_top or path.parts[-2:] == ("cli", "main.py"), f"line {node.lineno} imports from the top of the package"


@modules
def test_user_errors_are_no_asserts_and_nothing_is_caught_blindly(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}"
            passed_on = any(isinstance(inside, ast.Raise) and inside.exc is None for inside in ast.walk(node))
            # an owner of a thread has nobody to raise to: there the error itself must go to those who wait for it
            told = "serving" in path.parts and any(isinstance(n, ast.Name) and n.id == node.name for b in node.body for n in ast.walk(b))
            assert getattr(node.type, "id", "") not in ("Exception", "BaseException") or passed_on or told, f"line {node.lineno}"


HOSTS = r"pypi\.org|pythonhosted\.org|huggingface\.co|hf\.co/"
HERE = "|".join(re.escape(f"{folder}/") for folder in (ROOT, Path.home()) if len(folder.parts) > 1)
FOLDERS = rf"{HERE or '(?!)'}|/home/\w|/Users/\w|/tmp/pytest|[A-Z]:\\\\Users"
MACHINE = re.compile(f"{HOSTS}|{FOLDERS}")


@pytest.mark.parametrize("path", tracked_texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_host_of_a_registry_and_no_path_of_a_machine_is_written_down(path):
    found = MACHINE.search(path.read_text(encoding="utf-8"))
    assert found is None, f"{found}"


def test_import_hatrack_is_light():
    heavy = {"torch", "transformers", "peft", "numpy", "pydantic", "typer", "rich", "sqlalchemy"}
    code = "import sys, hatrack; print(*(name for name in sys.modules if '.' not in name))"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not heavy & set(ran.stdout.split())


def test_files_of_tests_are_short_too():
    for path in sorted((ROOT / "tests").rglob("*.py")):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST, path
