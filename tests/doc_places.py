"""What the blocks of each page find where they are run: the page's own config on tiny models, and data that fits it."""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from conftest import Ran, label_rows, write_jsonl
from doc_shell import Place
from made_tables import loan_rows, write_csv
from projects import speaking_base
from sample_documents import sample_documents

__all__ = ["DOCS", "PLACES", "change", "legal", "page_config", "place", "rows_for"]

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PLACES: dict[str, Callable[[Place], None]] = {}
SMALL = {"epochs": 1, "batch_size": 8, "max_length": 64}
FAST = ["majority", "nearest", "tfidf-logreg", "zero-shot-scored"]
SPLIT = [0.5, 0.1, 0.4]


def place(page: str) -> Callable[[Callable[[Place], None]], Callable[[Place], None]]:
    """The function makes what the blocks of ``page`` need."""

    def keep(make: Callable[[Place], None]) -> Callable[[Place], None]:
        PLACES[page] = make
        return make

    return keep


def change(root: Path, **keys: Any) -> None:
    """Other keys in a project's config; dictionaries are merged."""
    path = root / "hatrack.yaml"
    path.write_text(yaml.safe_dump(merged(yaml.safe_load(path.read_text()), keys), sort_keys=False), encoding="utf-8")


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Keys of both; where both hold dictionaries, so are these."""
    deeper = {key for key, value in new.items() if isinstance(value, dict) and isinstance(old.get(key), dict)}
    return {**old, **{key: merged(old[key], value) if key in deeper else value for key, value in new.items()}}


def page_config(at: Place, page: str, number: int = 0, **keys: Any) -> dict[str, Any]:
    """Write the page's own config, on the tiny base and with little training, and rows where it says that there are some."""
    text = (DOCS / page).read_text(encoding="utf-8")
    config = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[number])
    config = merged({**config, "base": str(speaking_base(at.causal))}, keys)
    for name, adapter in config.get("adapters", {}).items():
        own = {"train": SMALL, **({} if "hosted" in adapter else {"r": 4, "alpha": 8})}
        config["adapters"][name] = merged({"split": SPLIT, **own}, adapter) if "data" in adapter else adapter
        if "data" in adapter:
            rows_for(at.root / adapter["data"], adapter)
    at.root.mkdir(exist_ok=True)
    (at.root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return config


def rows_for(path: Path, adapter: dict[str, Any], count: int = 90) -> None:
    """Rows that an adapter of this task and these columns can be trained on."""
    if path.is_dir() or not path.suffix:
        return
    rows: list[dict[str, Any]] = [{**row, "country": ("FR", "US")[i % 2]} for i, row in enumerate(label_rows(count))]
    if adapter["task"] == "instruct":
        rows = [{"id": row["id"], "prompt": row["text"], "response": row["label"]} for row in rows]
    names = adapter.get("columns", {})
    rows = [{names.get(key, key): value for key, value in row.items()} for row in rows]
    if "group" in names:
        rows = [{**row, names["group"]: f"g{i}"} for i, row in enumerate(rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        write_csv(path, rows)
    else:
        write_jsonl(path, rows)


@functools.cache
def _roomy(causal: Path) -> Path:
    """The speaking base with room for sources in its context."""
    base = Path(shutil.copytree(speaking_base(causal), causal.parent / "roomy-llama"))
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 1024}))
    return base


@functools.cache
def _legal(causal: Path) -> Path:
    """``legal`` in four versions: the first and the last one learned their task, and the first is the champion."""
    from rich.console import Console

    from hatrack.workflows.adapt import Workbench, adapt, prove

    root = causal.parent / "project-legal"
    learn = {**SMALL, "learning_rate": 0.01}
    one = {
        "data": "data/legal.jsonl",
        "task": "classify-by-text",
        "system": "Name the colour.",
        "r": 8,
        "alpha": 16,
        "split": [0.7, 0.1, 0.2],
    }
    for version, (epochs, seed) in enumerate(((6, 0), (1, 1), (1, 2), (6, 3))):
        config = {"base": str(_roomy(causal)), "adapters": {"legal": {**one, "train": {**learn, "epochs": epochs, "seed": seed}}}}
        rows_for(root / "data" / "legal.jsonl", one, 120 + 3 * version)  # other data: the next minor version
        (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        with (root / "log").open("w") as log:
            bench = Workbench.open(root, Console(file=log))
            if version in (1, 2):
                manifest = bench.make("legal")
            else:
                manifest, report, *_ = (adapt if version == 0 else prove)(bench, "legal")
                assert report.passed, report.reasons
        assert manifest.version == f"1.{version}.0"
    return root


def legal(at: Place, **keys: Any) -> Path:
    """A project of one's own with the trained adapter ``legal``, in the place's folder."""
    shutil.copytree(_legal(at.causal), at.root, dirs_exist_ok=True)
    change(at.root, **keys)
    return at.root


@place("README.md")
def _(at: Place) -> None:
    rows_for(at.root / "my.csv", {"task": "classify-by-text"})

    def shrink(ran: Ran) -> None:
        adapters = {"first": {"r": 4, "alpha": 8, "last_layers": None, "train": SMALL}}
        compare = {"embedder": str(at.encoder), "approaches": FAST}
        change(at.root, base=str(speaking_base(at.causal)), adapters=adapters, compare=compare)

    at.after["hatrack init"] = shrink


@place("studio.md")
def _(at: Place) -> None:
    """An empty folder: it begins with nothing."""


@place("check.md")
def _(at: Place) -> None:
    adapter = {"data": "bank.jsonl", "task": "classify-by-text", "train": SMALL}
    (at.root / "hatrack.yaml").write_text(yaml.safe_dump({"base": str(at.causal), "adapters": {"bank": adapter}}))
    for name in ("bank", "exam"):
        rows_for(at.root / f"{name}.jsonl", adapter)


@place("cleaning.md")
def _(at: Place) -> None:
    page_config(at, "cleaning.md")


@place("compare.md")
def _(at: Place) -> None:
    page_config(at, "compare.md", compare={"embedder": str(at.encoder), "approaches": FAST})


@place("documents.md")
def _(at: Place) -> None:
    (at.root / "handbook").mkdir()
    sections = [part for row in sample_documents() for part in row.columns["sections"]]
    for number, part in enumerate(sections):  # each a document: a split keeps what belongs together
        (at.root / "handbook" / f"{number}.md").write_text(f"# {part['heading']}\n\n{part['text']}", encoding="utf-8")
    page_config(at, "documents.md")


@place("drift.md")
def _(at: Place) -> None:
    from hatrack.answering.request_log import RequestLog
    from hatrack.core.config_watch import WatchSettings
    from hatrack.core.project import Project

    legal(at, watch={"log_requests": True, "schedules": [{"job": "drift", "adapter": "legal", "every": "1d"}]})
    change(at.root, routing={"embedder": str(at.encoder)})
    at.hatrack("promote", "legal@1.3.0")
    rows_for(at.root / "new.jsonl", {"task": "classify-by-text"})
    texts = [row["text"] for row in label_rows(60, seed=9)]
    log = RequestLog(Project(at.root).requests, WatchSettings(log_requests=True))
    log.note("legal", "1.3.0", texts, ["red"] * len(texts), [0.5] * len(texts))


@place("prepare.md")
def _(at: Place) -> None:
    page_config(at, "prepare.md")


@place("proof.md")
def _(at: Place) -> None:
    legal(at, gate={"min_gain": 0.02})


@place("export.md")
def _(at: Place) -> None:
    legal(at)


@place("sweep.md")
def _(at: Place) -> None:
    page_config(at, "sweep.md", adapters={"legal": {"sweep": {"methods": ["lora"], "ranks": [4], "trials": 2, "last_layers": [None]}}})


@place("tables.md")
def _(at: Place) -> None:
    config = page_config(at, "tables.md", base=str(at.causal))
    config["tables"]["credit"] |= {"search": {"trials": 1}, "split": {"folds": 3}, "protected": ["sex"]}
    (at.root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    for name, count, seed in (("data/credit", 300, 0), ("new", 60, 1), ("newer", 120, 2)):
        rows = [{**row, "label": {"yes": "bad", "no": "good"}[row["late"]]} for row in loan_rows(count, seed)]
        for row in rows:
            del row["late"]
        (at.root / "data").mkdir(exist_ok=True)
        write_csv(at.root / f"{name}.csv", rows)


@place("metrics.md")
def _(at: Place) -> None:
    from http_server import running
    from provider_server import KEY, provider_server

    legal(at)
    row = json.loads(re.findall(r"```json\n(.*?)```", (DOCS / "metrics.md").read_text(encoding="utf-8"), re.DOTALL)[0])
    rows = [{**row, "id": f"q{i}", "text": f"is {i} even", "expected": ("yes", "no")[i % 2]} for i in range(40)]
    for name in ("predictions", "ours", "theirs"):
        write_jsonl(at.root / f"{name}.jsonl", [{**one, "prediction": one["expected"] if name == "ours" else "yes"} for one in rows])
    write_jsonl(at.root / "test.jsonl", [{"id": one["id"], "pred_reasoning_required": "yes", "label": one["expected"]} for one in rows])
    write_jsonl(at.root / "verdicts.jsonl", [{"id": one["id"], "verdict": "A" if i % 2 else "tie"} for i, one in enumerate(rows)])
    judge = at.stack.enter_context(provider_server())
    judge.models, judge.say = {"big-model"}, lambda model, messages: "TIE"
    at.patch.setenv("OPENAI_API_KEY", KEY)
    server = at.stack.enter_context(running(at.root))
    at.instead |= {
        "http://127.0.0.1:8000/v1#big-model": f"{judge.base_url}#big-model",
        "http://127.0.0.1:8000": server.url,
    }
