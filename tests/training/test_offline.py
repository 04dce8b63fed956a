from __future__ import annotations

import json
import os
import subprocess
import sys

# Runs before anything else in the process: whoever wants to leave this machine is written down and refused.
CLOSED = """
import socket
from pathlib import Path

def refuse(*args, **kwargs):
    with Path({log!r}).open("a") as log:
        log.write(repr(args[1:] or args) + "\\n")
    raise OSError("the network is closed")

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refuse)
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse)
"""


def test_F17_training_without_a_network_asks_nothing_even_when_the_hub_is_allowed(make_project, tmp_path):
    log = tmp_path / "asked.txt"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(CLOSED.format(log=str(log)))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_HUB", "TRANSFORMERS_OFFLINE"))}
    environment |= {"PYTHONPATH": str(tmp_path / "site"), "HF_HOME": str(tmp_path / "hub")}
    probe = "import socket\ntry:\n    socket.create_connection(('huggingface.co', 443), 1)\nexcept OSError as error:\n    print(error)"
    closed = subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, text=True, check=True)
    assert closed.stdout.strip() == "the network is closed"
    log.unlink()

    project = make_project("classify-by-text", train={"epochs": 0.4})
    command = [sys.executable, "-m", "hatrack", "train", "--json", "--project", str(project)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)[0]["version"] == "1.0.0"
    assert not log.exists(), log.read_text()
