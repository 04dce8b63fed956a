"""``hatrack import``: a foreign adapter becomes a version, with the checks that versions of this project pass.

find ─► own card? ── yes ─► fingerprint, template and probe must be this base's
└─ no ──► base's name, shapes, no code, an effect ─► a card and a probe are made
└─► register ─► evaluate
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from hatrack.core.aside import aside
from hatrack.core.atomic import STAGING, storage_errors
from hatrack.core.chat import Message
from hatrack.core.config import Task
from hatrack.core.digest import sha256_file
from hatrack.core.errors import AdapterBroken, AdapterMismatch, ConfigError
from hatrack.core.exported import EXPORT, ExportRecord
from hatrack.core.lineage import TABLE, DataRecord, EvalReport, Manifest
from hatrack.core.names import AUTO, BASE, NAME_RULE, valid_name
from hatrack.data.prepare import Prepared
from hatrack.models.adapters.base import read_variants
from hatrack.models.adapters.folder import CARD, CONFIG, HEAD, PROBE, WEIGHTS, AdapterCard, read_card, read_json
from hatrack.models.adapters.incoming.convert import check_base_name, lay_out
from hatrack.models.adapters.incoming.find import find_adapter
from hatrack.models.adapters.probe import write_probe
from hatrack.models.adapters.switch import place, remove
from hatrack.models.causal import last_logits
from hatrack.models.host import ModelHost
from hatrack.models.sources.bundled import BUNDLED, PREFIX
from hatrack.registry.manifest import build_manifest
from hatrack.workflows.adapt import Workbench

__all__ = ["Incoming", "take_in"]

_TASKS = ("instruct", "classify-by-text", "complete", "prefer")
_LEAST_EFFECT = 2e-4  # on a logit; below it the probe could not tell adapter and base apart
_LENGTH = 1024
_PROBED = 64  # tokens of a prompt
_TEXTS = ("What is the price of this house?", "The contract may be ended by either side.", "Name three rivers of France.")
_OURS = (WEIGHTS, CONFIG, HEAD, CARD, PROBE)


@dataclass(frozen=True)
class Incoming:
    """What is taken over.

    Attributes:
        spec: a folder, a GGUF file, or a hub id.
        name: of the adapter here; an entry of this name in hatrack.yaml says its task, system prompt and data.
        task, system: where hatrack.yaml has no such entry.
        same_base: the adapter names its base otherwise, and it is the same.
    """

    spec: str
    name: str
    task: str | None = None
    system: str | None = None
    same_base: bool = False


def take_in(bench: Workbench, wish: Incoming) -> tuple[Manifest, EvalReport | None]:
    """Register a foreign adapter, and measure it where the project has data for its name.

    Raises:
        ConfigError: a name that cannot be one, or a task that does not fit. AdapterNotFound, HubUnreachable: it cannot be had.
        AdapterBroken: pickled, truncated or foreign files, or an adapter without an effect.
        AdapterMismatch: it belongs to another base or template (F19, F06).
    """
    _check_wish(bench, wish)
    source = find_adapter(wish.spec, aside(bench.console))
    prepared = bench.prepare(wish.name) if wish.name in bench.config.adapters else None
    start = time.monotonic()
    state = bench.project.state
    state.mkdir(parents=True, exist_ok=True)
    with storage_errors(state), tempfile.TemporaryDirectory(dir=state, prefix=STAGING) as staging:
        folder = Path(staging)
        own = source.is_dir() and (source / CARD).is_file()
        host = bench.host = bench.host or ModelHost(bench.files)
        with _said_of(wish.spec):
            method = _take_own(source, folder) if own else _take_foreign(bench, wish, source, folder, prepared)
            host.attach(wish.name, folder)  # fingerprint, template, shapes, probe
            host.detach(wish.name)
        draft = build_manifest(
            bench.registry,
            wish.name,
            folder,
            base=bench.config.base,
            base_fingerprint=bench.files.fingerprint,
            template_hash=host.template_hash,
            behaviour=_behaviour(wish, source, read_card(folder), method),
            data=_unknown_data(),
            training={"seconds": round(time.monotonic() - start, 2)},
            libraries={"peft": str(read_json(folder).get("peft_version") or "unknown")},
        )
        manifest = bench.registry.add(draft, folder)
    return manifest, bench.evaluate(manifest, prepared) if prepared else None


@contextlib.contextmanager
def _said_of(spec: str) -> Iterator[None]:
    """Files that are read here are called by the name of what they were copied from."""
    try:
        yield
    except AdapterBroken as error:
        if STAGING not in error.fix:
            raise
        again = f"get {Path(spec).name} again from where it was made"
        raise AdapterBroken(error.what, given=error.given, allowed=error.allowed, fix=again) from error


def _check_wish(bench: Workbench, wish: Incoming) -> None:
    faults = []
    if not valid_name(wish.name) or wish.name in (BASE, AUTO):
        faults.append(f"the name must have the form {NAME_RULE} and not be 'base' or 'auto' (given: {wish.name!r})")
    elif wish.name in bench.registry.names(TABLE):
        faults.append(f"{wish.name} is the name of a table model")
    if wish.task is not None and wish.task not in _TASKS:
        faults.append(f"--task must be one of {', '.join(_TASKS)} (given: {wish.task})")
    if wish.name in bench.config.adapters and (wish.task or wish.system):
        faults.append(f"hatrack.yaml says task and system prompt of {wish.name}; leave out --task and --system")
    if faults:
        raise ConfigError("this cannot be imported as asked", faults=tuple(faults), fix="see `hatrack import --help`")


def _take_own(source: Path, folder: Path) -> str:
    """A folder that Hatrack wrote: hashes, card and probe are its own, and must hold here."""
    if (source / EXPORT).is_file():
        _check_hashes(source)
    for name in _OURS:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    return read_card(folder).method


def _check_hashes(source: Path) -> None:
    try:
        record = ExportRecord.model_validate_json((source / EXPORT).read_text(encoding="utf-8"))
    except (ValueError, ValidationError) as error:
        raise AdapterBroken(f"{EXPORT} cannot be read", given=str(error).splitlines()[0], fix="export it again") from error
    for name in _OURS:
        wanted, file = record.files.get(name), source / name
        if wanted is not None and (not file.is_file() or sha256_file(file) != wanted):
            raise AdapterBroken(
                f"{name} is not the file that was exported",
                given=f"sha256 {sha256_file(file)[:12]}" if file.is_file() else "no such file",
                allowed=f"sha256 {wanted[:12]}, as {EXPORT} says",
                fix="copy the folder again, or export it again",
            )


def _take_foreign(bench: Workbench, wish: Incoming, source: Path, folder: Path, prepared: Prepared | None) -> str:
    if bench.files.kind != "causal":
        raise AdapterMismatch(
            "adapters of other tools are taken over on bases that generate text; a classifier's head has no common form",
            given=f"{bench.config.base}, an encoder",
            allowed="a folder that `hatrack export --to peft` wrote",
            fix="train the classifier here: hatrack train NAME",
        )
    if not wish.same_base:
        check_base_name(source, _names_of(bench.config.base))
    host = bench.host = bench.host or ModelHost(bench.files)
    method = lay_out(source, folder, bench.files, host.module.inner)
    _card(bench, wish, host, method, prepared).write(folder)
    inputs = _questions(host, bench, wish, prepared)
    before = last_logits(host.module, inputs)
    variants = read_variants(folder, host.module)
    key = f"tried-{wish.name}"
    place(host.module, variants, key, host._active)
    try:
        host._active.name = key
        after = last_logits(host.module, inputs)
    finally:
        host._active.name = BASE
        remove(host.module, tuple(variants), key)
    if float((after - before).abs().max()) <= _LEAST_EFFECT:
        raise AdapterBroken(
            "the adapter changes nothing on this base",
            given=f"logits move by {float((after - before).abs().max()):.2g}",
            allowed=f"more than {_LEAST_EFFECT:g}",
            fix="look whether it was ever trained, and on which base",
        )
    write_probe(folder, inputs, after, before)
    return method


def _names_of(base: str) -> set[str]:
    bundled = BUNDLED.get(base.removeprefix(PREFIX)) if base.startswith(PREFIX) else None
    return {base, *([bundled.origin] if bundled else [])}


def _card(bench: Workbench, wish: Incoming, host: ModelHost, method: str, prepared: Prepared | None) -> AdapterCard:
    config = bench.config.adapters.get(wish.name)
    if config is not None and config.task == "classify":
        raise AdapterMismatch(
            "an adapter of another tool has no head that is known here", given="task: classify", allowed=", ".join(_TASKS)
        )
    labels = prepared.labels if prepared and config and config.task == "classify-by-text" else ()
    if (config.task if config else wish.task) == "classify-by-text" and not labels:
        raise ConfigError(
            "the labels of a classifier must be known",
            given=f"no data for {wish.name} in hatrack.yaml",
            allowed="an entry under `adapters` with its data",
            fix=f"add adapters.{wish.name} to hatrack.yaml, then import again",
        )
    return AdapterCard(
        task=config.task if config else cast(Task, wish.task or "instruct"),
        method=method,
        labels=tuple(labels),
        system=config.system if config else wish.system,
        template_hash=host.template_hash,
        base_fingerprint=bench.files.fingerprint,
        max_length=config.train.max_length if config else min(_LENGTH, bench.files.positions or _LENGTH),
        answer_schema=config.answer_schema if config else None,
    )


def _questions(host: ModelHost, bench: Workbench, wish: Incoming, prepared: Prepared | None) -> list[list[int]]:
    """Prompts for the probe: of the project's own data where there is some."""
    config = bench.config.adapters.get(wish.name)
    system = config.system if config else wish.system
    texts = [row.messages[0].content if row.messages else row.text for row in prepared.splits.test[:3]] if prepared else list(_TEXTS)
    before = (Message("system", system),) if system else ()
    return [list(host.renderer.prompt((*before, Message("user", text))).ids[:_PROBED]) for text in texts]


def _behaviour(wish: Incoming, source: Path, card: AdapterCard, method: str) -> dict[str, Any]:
    weights = source if source.is_file() else source / WEIGHTS
    config = {} if source.is_file() else read_json(source)
    return {
        "task": card.task,
        "method": method,
        "options": {key: config[key] for key in ("r", "lora_alpha", "num_virtual_tokens") if key in config},
        "system": card.system,
        "labels": list(card.labels),
        "answer_schema": card.answer_schema,
        "train": {"seed": 0},
        "imported": {"from": Path(wish.spec).name if Path(wish.spec).exists() else wish.spec, "weights": sha256_file(weights)},
    }


def _unknown_data() -> DataRecord:
    """Nothing is known of what it learned from."""
    return DataRecord(
        digest="",
        train_digest="",
        validation_digest="",
        test_digest="",
        rows={"train": 0, "validation": 0, "test": 0},
        rejected=0,
        source_files={},
    )
