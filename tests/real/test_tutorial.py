"""The tutorial is run as a newcomer runs it: every block, in order, in one shell, with the bundled encoder."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def script(port: int) -> str:
    """All blocks as one shell script; Python is handed to python."""
    parts = ["set -e -m", 'hatrack() { "$PYTHON" -m hatrack "$@"; }']
    for language, block in re.findall(r"```(sh|python)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        parts.append(f"echo '--- {language}'")
        parts.append(block if language == "sh" else f"\"$PYTHON\" - <<'PYTHON_END'\n{block}PYTHON_END\n")
    return "\n".join(parts).replace("8765", str(port))


@pytest.mark.real
def test_every_block_of_the_tutorial_runs(real_cache, tmp_path):
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        ["bash", "-c", script(free_port())], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said[-4000:]
    assert "770 rows" in said
    assert "some labels are thin" in said, "the page says that the check warns"
    assert "many rows repeat another" in said
    assert "better than the base" in said
    assert '"object":"classification"' in said.replace(" ", ""), "the server answered"
    assert "merchants@1.1.0" in said, "the second version is there"
    assert "Traceback" not in said
