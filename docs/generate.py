"""Write the pages that are made from code, beside this file: python docs/generate.py.

config.md and hatrack.schema.json come from the config models, commands.md from the commands, http.md from the server's routes,
benchmarks.md from recorded runs. ``tests/test_docs.py`` refuses a page that is older than the code.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from hatrack.core.config import AdapterConfig, Checks, Columns, DataFiles, GateRules, Preference, ProjectConfig
from hatrack.core.config_cache import CacheSettings, NearSettings
from hatrack.core.config_compare import CompareSettings, Prices, Wishes
from hatrack.core.config_engines import LlamaCppSettings, VllmSettings
from hatrack.core.config_guard import GuardRules, InputRules, OutputRules
from hatrack.core.config_hosted import HostedModel
from hatrack.core.config_http import HttpSettings, KeyEntry
from hatrack.core.config_knowledge import ChunkSettings, Collection, KnowledgeSettings, RagSettings, SearchSettings
from hatrack.core.config_prepare import CleanRules, DocumentTasks, DuplicateRules, PiiPolicy, PrepareSettings
from hatrack.core.config_price import Budget, Price
from hatrack.core.config_provider import ProviderSettings
from hatrack.core.config_registry import RegistryPlace, RegistrySettings
from hatrack.core.config_route import Route, RoutingRule, RoutingSettings
from hatrack.core.config_safety import SafetySettings
from hatrack.core.config_serve import ServeSettings
from hatrack.core.config_sweep import SweepSpace
from hatrack.core.config_tables import TableConfig, TableData, TableFeature, TableSearch, TableSplit, TableTextScore, TableTextVectors
from hatrack.core.config_train import FastSettings, TrainSettings
from hatrack.core.config_trainer import TrainerNames
from hatrack.core.config_watch import AlertSettings, Schedule, WatchSettings
from hatrack.training.methods.base import METHODS

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from benchmark_page import benchmark_page  # noqa: E402  # beside this file, which is no package
from command_page import command_page  # noqa: E402
from http_page import http_page  # noqa: E402

HEAD = """# hatrack.yaml

Every key of the one config file. An unknown key is refused, with the nearest known one; all faults are reported
together. `hatrack.schema.json` beside this page is the JSON schema, for editors.

```yaml
base: bundled/smollm2-135m-instruct
adapters:
  legal:
    data: data/legal.jsonl
    columns: {text: clause, label: type, group: contract}
    task: classify-by-text
    system: Name the type of this contract clause.
    method: lora
    last_layers: 10
    train: {epochs: 3, max_length: 256}
gate: {min_gain: 0.02}
```
"""
SECTIONS: list[tuple[str, type[BaseModel]]] = [
    ("The file", ProjectConfig),
    ("adapters.NAME", AdapterConfig),
    ("adapters.NAME.data", DataFiles),
    ("adapters.NAME.columns", Columns),
    ("adapters.NAME.checks", Checks),
    ("adapters.NAME.prepare", PrepareSettings),
    ("adapters.NAME.prepare.clean", CleanRules),
    ("adapters.NAME.prepare.pii", PiiPolicy),
    ("adapters.NAME.prepare.duplicates", DuplicateRules),
    ("adapters.NAME.prepare.documents", DocumentTasks),
    ("adapters.NAME.train", TrainSettings),
    ("adapters.NAME.train.fast", FastSettings),
    ("adapters.NAME.trainer", TrainerNames),
    ("adapters.NAME.preference", Preference),
    ("adapters.NAME.sweep", SweepSpace),
    ("adapters.NAME.route", Route),
    ("adapters.NAME.rag", RagSettings),
    ("guard", GuardRules),
    ("guard.input", InputRules),
    ("guard.output", OutputRules),
    ("tables.NAME", TableConfig),
    ("tables.NAME.data", TableData),
    ("tables.NAME.split", TableSplit),
    ("tables.NAME.search", TableSearch),
    ("tables.NAME.text_scores", TableTextScore),
    ("tables.NAME.text_vectors", TableTextVectors),
    ("tables.NAME.features", TableFeature),
    ("gate", GateRules),
    ("safety", SafetySettings),
    ("registry", RegistrySettings),
    ("registry.remotes.NAME", RegistryPlace),
    ("watch", WatchSettings),
    ("watch.schedules", Schedule),
    ("watch.alerts", AlertSettings),
    ("hosted.NAME", HostedModel),
    ("provider", ProviderSettings),
    ("provider.price, hosted.NAME.price", Price),
    ("provider.budget, hosted.NAME.budget, adapters.NAME.budget", Budget),
    ("knowledge", KnowledgeSettings),
    ("knowledge.collections.NAME", Collection),
    ("knowledge.chunks", ChunkSettings),
    ("knowledge.search", SearchSettings),
    ("routing", RoutingSettings),
    ("routing.rules", RoutingRule),
    ("serve", ServeSettings),
    ("serve.vllm", VllmSettings),
    ("serve.llamacpp", LlamaCppSettings),
    ("serve.cache", CacheSettings),
    ("serve.cache.near", NearSettings),
    ("serve.http", HttpSettings),
    ("serve.keys", KeyEntry),
    ("compare", CompareSettings),
    ("compare.prices", Prices),
    ("compare.wishes", Wishes),
]


def section(title: str, model: type[BaseModel]) -> str:
    """The table of one block of settings."""
    lines = [f"## {title}", "", (model.__doc__ or "").strip(), "", "| key | default | what it does |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else shown(field.default)
        lines.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def shown(value: object) -> str:
    """A default value, as it is written in YAML."""
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, tuple):
        return "`[" + ", ".join(str(item) for item in value) + "]`"
    return f"`{json.dumps(value)}`".replace('`"', "`").replace('"`', "`")


def pages() -> dict[Path, str]:
    """Path to the text that should stand there."""
    parts = [HEAD, *(section(title, model) for title, model in SECTIONS)]
    for name in METHODS.names():
        method = METHODS.get(name)()
        parts.append(section(f"Options of method `{name}`", method.options).replace("| key |", "| key, beside `method` |"))
    schema = ProjectConfig.model_json_schema()
    return {
        HERE / "config.md": "\n".join(parts),
        HERE / "hatrack.schema.json": json.dumps(schema, indent=1) + "\n",
        HERE / "commands.md": command_page(),
        HERE / "http.md": http_page(),
        HERE / "benchmarks.md": benchmark_page(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
