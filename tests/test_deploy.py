"""The unit of systemd and the Dockerfile: linted, and what they name exists. No engine runs them here."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UNIT, IMAGE = ROOT / "deploy" / "hatrack.service", ROOT / "deploy" / "Dockerfile"


def unit():
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return parser


def instructions():
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", IMAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def accepted(*arguments):
    """A command line that asks for its help behind all its options: an unknown one would be refused before."""
    ran = subprocess.run([sys.executable, "-m", "hatrack", *arguments, "--help"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_the_unit_passes_systemds_own_check(tmp_path):
    # the program must be there, which it is not in /opt
    text = UNIT.read_text(encoding="utf-8").replace("/opt/hatrack/bin/hatrack", shutil.which("true"))
    copy = tmp_path / "hatrack.service"
    copy.write_text(text, encoding="utf-8")
    ran = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False)
    own = [line for line in ran.stderr.splitlines() if "hatrack.service" in line]
    assert own == []
    copy.write_text(text.replace("ProtectSystem=strict", "ProtectSystem=strickt"), encoding="utf-8")
    ran = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False)
    assert "strickt" in ran.stderr, "and the check would see a fault"


def test_the_unit_calls_a_command_that_is_accepted():
    program, *arguments = shlex.split(unit()["Service"]["ExecStart"])
    assert program.endswith("/bin/hatrack")
    accepted(*arguments)


def test_the_unit_waits_longer_than_answers_get_to_finish():
    from hatrack.core.config_http import HttpSettings

    assert float(unit()["Service"]["TimeoutStopSec"]) > HttpSettings().drain_seconds


def test_the_dockerfile_passes_hadolint():
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("no hadolint here")
    ran = subprocess.run([linter, "--no-color", str(IMAGE)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_image_calls_a_command_that_is_accepted_and_is_nobody():
    found = instructions()
    command = next(value for name, value in found if name == "CMD")
    accepted(*re.findall(r'"([^"]*)"', command))
    assert ("ENTRYPOINT", '["hatrack"]') in found
    assert next(value for name, value in reversed(found) if name == "USER") == "10001"


def test_what_the_image_copies_and_installs_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    text = IMAGE.read_text(encoding="utf-8")
    assert set(re.search(r'"\.\[([a-z,]+)\]"', text)[1].split(",")) <= set(extras)
    let_in = {
        line[1:] for line in (ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    copied = {name for kind, value in instructions() if kind == "COPY" and "--from" not in value for name in value.split()[:-1]}
    assert copied <= let_in
    assert all((ROOT / name).exists() for name in copied)


def test_the_health_check_asks_the_port_that_is_served():
    text = IMAGE.read_text(encoding="utf-8")
    ports = (
        set(re.findall(r"127\.0\.0\.1:(\d+)", text)) | set(re.findall(r"EXPOSE (\d+)", text)) | set(re.findall(r'"--port", "(\d+)"', text))
    )
    assert ports == {"8000"}
