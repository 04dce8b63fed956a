"""``hatrack`` itself: help, version, unknown commands, what is imported, exit codes."""

from __future__ import annotations

import keyword
import subprocess
import sys
import time

import pytest

import hatrack
from hatrack.cli import main as entrance
from hatrack.cli.main import COMMANDS

HEAVY = ("torch", "transformers", "peft", "typer", "rich", "numpy", "pydantic", "sqlalchemy", "yaml")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(hatrack, command):
    ran = hatrack(command, "--help")
    assert ran.code == 0
    assert f"Usage: hatrack {command}" in ran.out
    assert " ".join(COMMANDS[command].split()[:4]) in ran.out
    assert hatrack(command, "-h").out == ran.out


def test_every_file_of_commands_is_in_the_table_and_the_other_way_round():
    from pathlib import Path

    files = {path.stem for path in (Path(entrance.__file__).parent / "commands").glob("*.py")} - {"__init__"}
    assert files == {command.replace("-", "_") + "_" * keyword.iskeyword(command) for command in COMMANDS}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_lists_every_command(hatrack, arguments):
    ran = hatrack(*arguments)
    assert ran.code == 0
    assert ran.err == ""
    for command in COMMANDS:
        assert f"\n  {command:<12}" in ran.out


def test_help_fits_a_narrow_screen(hatrack, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    commands = hatrack("--help").out.partition("Commands:")[2]
    assert max(len(line) for line in commands.splitlines()) <= 60


def test_version(hatrack):
    assert hatrack("--version").out == f"hatrack {sys.modules['hatrack'].__version__}\n"


@pytest.mark.parametrize(("given", "meant"), [("trian", "train"), ("evla", "eval"), ("roolback", "rollback"), ("Chat", "chat")])
def test_an_unknown_command_is_refused_with_the_nearest_one(hatrack, given, meant):
    ran = hatrack(given)
    assert ran.code == 2
    assert f"did you mean `hatrack {meant}`?" in ran.err


def test_a_command_that_is_like_no_other_points_to_the_help(hatrack):
    assert "hatrack --help" in hatrack("xyzzy").err


@pytest.mark.parametrize("arguments", [["train", "--bogus"], ["ask"], ["ask", "base"], ["ask", "base", "x", "--max-new-tokens", "0"]])
def test_what_a_command_does_not_take_is_refused(hatrack, arguments):
    ran = hatrack(*arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err
    assert "Usage:" in ran.err


def test_ctrl_c_says_that_nothing_is_lost_and_ends_with_130(hatrack, monkeypatch):
    from hatrack.core import config_file

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(config_file, "read_config", interrupted)
    ran = hatrack("versions")
    assert ran.code == 130
    assert ran.err.startswith("Interrupted:")


def test_help_answers_in_less_than_0_3_seconds():
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "hatrack", "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.3


@pytest.mark.parametrize("code", ["import hatrack", "from hatrack.cli.main import _dispatch; _dispatch(['--help'])"])
def test_help_and_import_load_nothing_heavy(code):
    listing = f"{code}\nimport sys; print([name for name in {HEAVY} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", listing], check=True, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["versions", "diff", "promote", "rollback"])
def test_commands_about_the_registry_load_no_torch(command, tmp_path):
    (tmp_path / "hatrack.yaml").write_text("adapters: {first: {data: d.jsonl, task: instruct}}")
    arguments = {"versions": [], "diff": ["a@1.0.0", "a@1.0.1"], "promote": ["a"], "rollback": ["a"]}[command]
    code = "import sys\nfrom hatrack.cli.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\nprint('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code, command, *arguments, "-p", str(tmp_path)], check=True, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "False"


def test_the_package_offers_the_assistant_and_nothing_it_does_not_have():
    assert hatrack.Assistant.__name__ == "Assistant"
    with pytest.raises(AttributeError, match="no attribute 'Asistant'"):
        _ = hatrack.Asistant
