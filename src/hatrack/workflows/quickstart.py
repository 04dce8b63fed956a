"""The first ten minutes: three adapters on one base, from real records, each proved, kept and asked a question."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console

from hatrack.answering.assistant import Assistant
from hatrack.core.atomic import write_text
from hatrack.core.config_file import CONFIG_NAME
from hatrack.core.lineage import EvalReport
from hatrack.core.names import BASE
from hatrack.workflows.adapt import Workbench, adapt
from hatrack.workflows.quickstart_data import DOMAINS, Record, records, select

__all__ = ["FOLDER", "Asked", "QuickstartResult", "run_quickstart", "write_quickstart_project"]

FOLDER = "hatrack-quickstart"
_SEED = 13
_ROWS = 480
_QUESTIONS = "questions.json"


@dataclass(frozen=True)
class Asked:
    """One question that no adapter was trained on, and what was answered."""

    adapter: str
    question: str
    expected: str
    base_said: str
    adapter_said: str


@dataclass(frozen=True)
class QuickstartResult:
    """Everything the quickstart measured."""

    reports: list[EvalReport]
    asked: list[Asked]
    seconds: float


def write_quickstart_project(folder: Path) -> dict[str, Record]:
    """Write data and config of the three domains; return one record of each that is kept out of the data.

    What an earlier call wrote is used as it is: going through every diagnosis again takes seconds.

    Raises:
        MissingExtra: a package that ships the records is not installed. StorageError: the folder cannot be written.
    """
    kept_out = folder / "data" / _QUESTIONS  # written last: once it is there, everything is
    if kept_out.is_file() and (folder / CONFIG_NAME).is_file():
        return {domain: (text, label, group) for domain, (text, label, group) in json.loads(kept_out.read_text(encoding="utf-8")).items()}
    adapters = {}
    questions = {}
    for domain, (_, system) in DOMAINS.items():
        question, *rows = select(records(domain), _ROWS + 1, _SEED)
        questions[domain] = question
        # nothing of the question's own kind (the same merchant code, the same diagnosis) is in the data
        rows = [row for row in rows if row[2] != question[2]]
        lines = [json.dumps({"id": i, "text": text, "label": label, "group": group}) for i, (text, label, group) in enumerate(rows)]
        write_text(folder / "data" / f"{domain}.jsonl", "".join(line + "\n" for line in lines))
        adapters[domain] = {
            "data": f"data/{domain}.jsonl",
            "columns": {"group": "group"},
            "task": "classify-by-text",
            "system": system,
            "method": "lora",
            "last_layers": 10,
            "split": [0.7, 0.1, 0.2],
            "train": {"epochs": 4, "max_length": 128},
        }
    config = {"base": "bundled/smollm2-135m-instruct", "adapters": adapters}
    write_text(folder / CONFIG_NAME, yaml.safe_dump(config, sort_keys=False))
    write_text(kept_out, json.dumps(questions, indent=1))
    return questions


def run_quickstart(folder: Path, console: Console) -> QuickstartResult:
    """Make the project in ``folder`` and take its three adapters all the way; what was done before is not done again."""
    start = time.monotonic()
    questions = write_quickstart_project(folder)
    bench = Workbench.open(folder, console)
    prepared = bench.prepare_all(list(DOMAINS))
    reports = [adapt(bench, name, prepared[name])[1] for name in DOMAINS]
    assistant = Assistant.open(folder)
    asked = []
    for name, (question, expected, _) in questions.items():
        answers = [assistant.generate(question, who, max_new_tokens=40).text for who in (BASE, name)]
        asked.append(Asked(name, question, expected, " ".join(answers[0].split()), answers[1]))
    return QuickstartResult(reports, asked, time.monotonic() - start)
