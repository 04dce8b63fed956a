"""The same adapter in less time: stock Trainer and PEFT against Hatrack, exact and with frozen blocks kept.

banking77 as text to text: 1,000 rows, 3 epochs, batches of 8 rows, LoRA r=16, the bundled SmolLM2-135M. All three are
asked the same questions afterwards: the log-probability of each label, on 300 test rows.

    A  Trainer and PEFT as their documentation shows: q and v of all 30 blocks, padded batches, loss over the whole output
    B  Hatrack with the same adapted layers: no padding, shared beginnings once, outputs at labels only
    C  Hatrack with all linear layers of the last 10 blocks adapted: 20 blocks are computed once and kept

    fast_ratio     seconds of A / seconds of C        exact_ratio  seconds of A / seconds of B
    accuracy_gap   accuracy of A - accuracy of C      utilisation  operations C needs / seconds / what sgemm reaches here
                                                      b_utilisation  the same of B

A's seconds are those of ``Trainer.train()``. B's and C's also hold their dry run, their trials of exactness, the pass
through the frozen blocks, and a validation after every epoch, which A does not make. C, which is short, is run three times,
and the median counts; sgemm is measured before and after each run, and the better of both is what that run is held against.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml

from hatrack.core.chat import Message
from hatrack.models.label_scoring import build_trie, score_labels
from hatrack.models.loading import BaseModelFiles, load_module, open_base
from hatrack.models.render import ChatRenderer

BASE = "bundled/smollm2-135m-instruct"
SYSTEM = "Name the intent of this message to a bank."
SEED, ROWS, VALIDATION, TEST, EPOCHS, BATCH, RANK, RATE = 13, 1000, 24, 300, 3, 8, 16, 1e-3
RUNS = 3  # of C
LAST = 10  # blocks that C adapts
ALL = ("q", "k", "v", "o", "gate", "up", "down")

Row = dict[str, str]


def run(data: Path, work: Path, rows: int = ROWS, test_rows: int = TEST, epochs: int = EPOCHS) -> dict[str, float]:
    files = open_base(BASE)
    parts = load(data, rows, test_rows)
    train, test = parts["train"], parts["test"]
    claims: dict[str, float] = {}
    adapters = {"a": work / "a"}
    if not (adapters["a"] / "seconds").is_file():
        stock(files, train, adapters["a"], epochs)
    claims["a_seconds"] = float((adapters["a"] / "seconds").read_text())
    blocks = files.config["num_hidden_layers"]
    needed = {"b": operations(files, train, epochs, blocks, ("q", "v")), "c": operations(files, train, epochs, LAST, ALL)}
    choices: tuple[tuple[str, dict[str, Any], int], ...] = (
        ("b", {"target_modules": ["q_proj", "v_proj"]}, 1),
        ("c", {"last_layers": LAST}, RUNS),
    )
    rates = {}
    for name, options, times in choices:
        seconds, rates[name], peaks = [], [], []
        for _ in range(times):
            peak = sgemm()
            figures, adapters[name] = ours(name, options, parts, work, epochs)
            peaks.append(max(peak, sgemm()))
            seconds.append(figures["seconds"])
            rates[name].append(needed[name] / figures["seconds"] / peaks[-1])
            say(f"{name}: {json.dumps(figures)}; utilisation {rates[name][-1]:.3f} of {peaks[-1] / 1e9:.0f} GFLOP/s")
        claims |= {f"{name}_{key}": figures[key] for key in ("expected_seconds", "expected_rss_mb", "peak_rss_mb")}
        claims[f"{name}_seconds"] = median(seconds)
        if times > 1:
            claims |= {f"{name}_fastest": min(seconds), f"{name}_slowest": max(seconds)}
    for name, folder in adapters.items():
        claims[f"{name}_accuracy"] = accuracy(files, folder, test, sorted({row["label"] for row in train}))
        say(f"{name}: accuracy {claims[f'{name}_accuracy']:.3f}")
    claims |= {
        "fast_ratio": claims["a_seconds"] / claims["c_seconds"],
        "exact_ratio": claims["a_seconds"] / claims["b_seconds"],
        "accuracy_gap": claims["a_accuracy"] - claims["c_accuracy"],
        "utilisation": median(rates["c"]),
        "b_utilisation": median(rates["b"]),
        "sgemm_gflops": median(peaks) / 1e9,
    }
    return {key: round(value, 4) for key, value in claims.items()}


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def load(data: Path, count: int, tested: int) -> dict[str, list[Row]]:
    """Rows at random, no text twice, each label of the test rows among those of the training rows."""
    parts: dict[str, list[Row]] = {}
    seen: set[str] = set()
    for part in ("test", "train"):
        found = {}
        for line in (data / "finance" / "banking77" / f"{part}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            key = " ".join("".join(c if c.isalnum() else " " for c in row["text"].lower()).split())
            if key not in seen:
                seen.add(key)
                found[key] = {"text": row["text"], "label": row["label"].replace("_", " ")}
        parts[part] = list(found.values())
        random.Random(SEED).shuffle(parts[part])
    train, validation = parts["train"][:count], parts["train"][count : count + VALIDATION]
    labels = {row["label"] for row in train}
    test, validation = ([row for row in rows if row["label"] in labels] for rows in (parts["test"], validation))
    return {"train": train, "validation": validation, "test": test[:tested]}


def stock(files: BaseModelFiles, rows: list[Row], out: Path, epochs: int) -> None:
    """Trainer and PEFT, the obvious way."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments, set_seed

    set_seed(SEED)
    tokenizer = AutoTokenizer.from_pretrained(files.folder)
    model = AutoModelForCausalLM.from_pretrained(files.folder, dtype=torch.float32)
    model = get_peft_model(
        model, LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", lora_dropout=0.0)
    )

    def encode(row: Row) -> dict[str, list[int]]:
        turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": row["text"]}]
        prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        before = tokenizer(prompt, add_special_tokens=False).input_ids
        answer = [*tokenizer(row["label"], add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        return {"input_ids": before + answer, "labels": [-100] * len(before) + answer}

    arguments = TrainingArguments(
        output_dir=str(out / "trainer"),
        num_train_epochs=epochs,
        per_device_train_batch_size=BATCH,
        learning_rate=RATE,
        lr_scheduler_type="cosine",
        warmup_steps=round(0.1 * epochs * len(rows) / BATCH),
        seed=SEED,
        save_strategy="no",
        report_to=[],
        logging_steps=25,
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
    )
    trainer = Trainer(model, arguments, train_dataset=[encode(row) for row in rows], data_collator=DataCollatorForSeq2Seq(tokenizer))
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    model.save_pretrained(out)
    (out / "seconds").write_text(str(seconds))
    say(f"a: {seconds:.1f} s")


def ours(name: str, options: dict[str, Any], parts: dict[str, list[Row]], work: Path, epochs: int) -> tuple[dict[str, float], Path]:
    """``hatrack train`` in a process of its own; returns what the manifest tells and the adapter's folder."""
    root = work / name
    if (root / ".hatrack").is_dir():
        shutil.rmtree(root / ".hatrack")  # a run that goes on, or finds its states kept, would look faster than it is
    root.mkdir(parents=True, exist_ok=True)
    for part, rows in parts.items():
        lines = [json.dumps({"id": f"{part}{i}", **row}) + "\n" for i, row in enumerate(rows)]
        (root / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    adapter = {
        "data": {part: f"{part}.jsonl" for part in parts},
        "task": "classify-by-text",
        "system": SYSTEM,
        "r": RANK,
        "alpha": 2 * RANK,
        "checks": {"near_duplicates": 1.0, "max_conflicts": 1.0},
        "train": {"epochs": epochs, "batch_size": BATCH, "learning_rate": RATE, "seed": SEED, "patience": 99},
        **options,
    }
    (root / "hatrack.yaml").write_text(yaml.safe_dump({"base": BASE, "adapters": {name: adapter}}))
    done = subprocess.run([sys.executable, "-m", "hatrack", "train", "--json", "--project", str(root)], stdout=subprocess.PIPE, check=True)
    [manifest] = json.loads(done.stdout)
    [folder] = root.glob(".hatrack/runs/*/adapter")
    return manifest["training"], folder


@torch.inference_mode()
def accuracy(files: BaseModelFiles, adapter: Path, rows: list[Row], labels: list[str]) -> float:
    """Each label scored by its exact log-probability; the adapter is in PEFT's layout, whoever trained it."""
    from peft import PeftModel

    renderer = ChatRenderer(files.tokenizer, files.stop_ids)
    model = PeftModel.from_pretrained(load_module(files), adapter).eval()
    prompts = [renderer.prompt((Message("system", SYSTEM), Message("user", row["text"]))).ids for row in rows]
    best = score_labels(model, prompts, build_trie([renderer.answer_ids(label) for label in labels])).argmax(1).tolist()
    return sum(labels[i] == row["label"] for i, row in zip(best, rows, strict=True)) / len(rows)


def sgemm() -> float:
    """Operations per second of one large float32 product, the best of many."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    best = 1e9
    for _ in range(20):
        start = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - start)
    return 2 * 2048**3 / best


def operations(files: BaseModelFiles, rows: list[Row], epochs: int, last: int, targets: tuple[str, ...]) -> float:
    """What training ``targets`` in the ``last`` blocks cannot do without: products with weights and in attention, of tokens that matter.

    There is no padding. Frozen blocks run forward once for each row. Trained blocks run forward and give gradients to their inputs each
    epoch; frozen weights take no gradient. Trials, the dry run, validation, norms, activations and the optimizer count
    as nothing, though their seconds are in the denominator.
    """
    config, renderer = files.config, ChatRenderer(files.tokenizer, files.stop_ids)
    d, f, v = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    kv = d * config["num_key_value_heads"] // config["num_attention_heads"]
    shapes = {"q": (d, d), "k": (d, kv), "v": (d, kv), "o": (d, d), "gate": (d, f), "up": (d, f), "down": (f, d)}
    weights = sum(a * b for a, b in shapes.values())
    lora = {name: RANK * (a + b) if name in targets else 0 for name, (a, b) in shapes.items()}
    blocks = config["num_hidden_layers"]
    turns = [(Message("system", SYSTEM), Message("user", r["text"]), Message("assistant", r["label"])) for r in rows]
    rendered = [renderer.example(turn) for turn in turns]
    ids = [one.ids for one in rendered]
    shared = next(i for i, column in enumerate(zip(*ids, strict=False)) if len(set(column)) > 1)
    own = sum(len(row) - shared for row in ids)
    looked = sum(2 * 2 * d * sum(range(shared, len(row))) for row in ids)  # scores and their sum, of own tokens
    labels = sum(one.trained for one in rendered)
    line = own + shared * len(rows) / BATCH
    once = (blocks - last) * (2 * weights * own + looked)
    token_wise = sum(a * b for name, (a, b) in shapes.items() if name not in ("k", "v"))
    token_wise_lora = sum(lora[name] for name in shapes if name not in ("k", "v"))
    whole = 4 * weights * line + 6 * sum(lora.values()) * line + 3 * looked
    saved = (4 * token_wise + 6 * token_wise_lora) * (line - labels) + 3 * looked * (1 - labels / own)  # in the last block
    first = 2 * (d * d + 2 * d * kv) * line  # nothing below the queries, keys and values of the first trained block wants a gradient
    epoch = last * whole - saved - first + 4 * d * v * labels
    return float(once + epochs * epoch)
