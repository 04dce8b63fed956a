"""Does a request without a name find its adapter, and do texts that are nobody's stay away?

Three adapters are registered (their weights play no part: routing reads names and data), ``hatrack route --learn`` learns
from their training and validation rows, and the router decides on test rows, one request at a time.

    legal    CUAD clauses          finance  banking77 messages          medical  MedQuAD questions

Foreign texts took no part in learning: everyday requests (self-instruct, IFEval, XSTest), neighbours of each domain
(questions on financial reports, biomedical claims, French tax, Indian judgments), and each domain as seen by the other
two adapters. Beside it, on the same vectors, one centroid for each adapter and the first half of the rule alone.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import yaml

from hatrack.answering.decision import Wanted
from hatrack.answering.route import Router
from hatrack.core.config_file import read_config
from hatrack.core.config_route import RoutingSettings
from hatrack.core.lineage import DataRecord
from hatrack.core.names import AUTO
from hatrack.core.project import Project
from hatrack.registry.manifest import build_manifest
from hatrack.registry.store import Registry
from hatrack.workflows.route_content import learn_profile

SEED = 29
TRAIN, TEST, FOREIGN = 1250, 500, 250
DOMAINS = {
    "legal": ("legal/cuad_clauses", "text", "label"),
    "finance": ("finance/banking77", "text", "label"),
    "medical": ("medical/medquad", "question", "qtype"),
}
OTHERS = {
    "self_instruct": ("general/self_instruct_human/test.jsonl", "instruction"),
    "ifeval": ("general/ifeval/test.jsonl", "prompt"),
    "xstest": ("safety/xstest/test.jsonl", "prompt"),
    "tatqa": ("finance/tatqa/test.jsonl", "question"),
    "scifact": ("medical/scifact/test.jsonl", "text"),
    "fr_tax": ("legal/fr_tax/test.jsonl", "text"),
    "indian_judgments": ("legal/in_rhetorical_roles/test.jsonl", "text"),
}
UNRELATED = ("self_instruct", "ifeval", "xstest")


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def sample(path: Path, count: int) -> list[dict]:
    with path.open(encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    random.Random(SEED).shuffle(rows)
    return rows[:count]


def register(root: Path, name: str) -> None:
    registry, folder = Registry(Project(root)), root / "made" / name
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_text(name)
    digest = "0" * 64
    record = DataRecord(
        digest=digest, train_digest=digest, validation_digest=digest, test_digest=digest, rows={"train": 1}, rejected=0, source_files={}
    )
    behaviour = {"task": "classify", "method": "lora", "train": {"seed": SEED}}
    manifest = build_manifest(
        registry, name, folder, base="none", base_fingerprint=digest, template_hash=digest, behaviour=behaviour, data=record,
        training={"seconds": 0.0}, libraries={},
    )  # fmt: skip
    registry.add(manifest, folder)


def project(data: Path, root: Path) -> dict[str, list[str]]:
    """Writes the project; returns the test texts of each domain."""
    shutil.rmtree(root, ignore_errors=True)
    adapters, tests = {}, {}
    for name, (folder, text, label) in DOMAINS.items():
        for part, count in (("train", TRAIN), ("test", TEST)):
            rows = sample(data / folder / f"{part}.jsonl", count)
            made = [{"id": f"{part}{i}", "text": row[text], "label": row[label]} for i, row in enumerate(rows)]
            path = root / f"{name}-{part}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
        tests[name] = [row["text"] for row in made]
        adapters[name] = {
            "data": {"train": f"{name}-train.jsonl", "test": f"{name}-test.jsonl"},
            "task": "classify",
            "split": [0.78, 0.2, 0.02],
            "checks": {"leaks": "drop", "drop_unknown_test_labels": True, "max_conflicts": 1.0},
        }
        register(root, name)
    (root / "hatrack.yaml").write_text(yaml.safe_dump({"base": "bundled/all-minilm-l6-v2", "adapters": adapters}, sort_keys=False))
    return tests


def run(data: Path, work: Path) -> dict[str, float]:
    tests = project(data, work)
    say("learning")
    subprocess.run([sys.executable, "-m", "hatrack", "route", "--learn", "--project", str(work)], check=True)
    place = Project(work)
    router = Router.of(read_config(work), place, Registry(place))
    claims: dict[str, float] = {}
    seconds, right = [], 0
    vectors = {}
    for name, texts in tests.items():
        chosen = []
        for text in texts:
            start = time.perf_counter()
            chosen.append(router.route(text, Wanted()).adapter)
            seconds.append(time.perf_counter() - start)
        vectors[name] = np.stack([router.content.vector(text) for text in texts])
        claims[f"{name}_found"] = np.mean([one == name for one in chosen])
        claims[f"{name}_to_base"] = np.mean([one == "base" for one in chosen])
        claims[f"{name}_to_another"] = np.mean([one not in (name, "base") for one in chosen])
        right += sum(one == name for one in chosen)
        rest = Wanted(AUTO, "", {*DOMAINS, "base"} - {name})
        claims[f"{name}_unserved_to_base"] = np.mean([router.route(text, rest).adapter == "base" for text in texts])
        say(f"{name}: {claims[f'{name}_found']:.3f} found, {claims[f'{name}_unserved_to_base']:.3f} to the base without its adapter")
    claims["accuracy"] = right / sum(map(len, tests.values()))
    for name, (file, column) in OTHERS.items():
        texts = [row[column] for row in sample(data / file, FOREIGN)]
        claims[f"{name}_to_base"] = np.mean([router.route(text, Wanted()).adapter == "base" for text in texts])
        vectors[name] = np.stack([router.content.vector(text) for text in texts])
        say(f"{name}: {claims[f'{name}_to_base']:.3f} of {len(texts)} to the base")
    claims["unrelated_to_base"] = np.mean([claims[f"{name}_to_base"] for name in UNRELATED])
    claims |= one_centroid(router, work, vectors)
    claims["route_p50_ms"] = 1000 * float(np.median(seconds))
    return {key: round(float(value), 4) for key, value in claims.items()}


def one_centroid(router: Router, work: Path, vectors: dict[str, np.ndarray]) -> dict[str, float]:
    """The same with one centroid an adapter and a threshold from foreign texts alone; both need no held-out inputs."""
    from hatrack.models.embedder import TextEmbedder
    from hatrack.models.loading import open_base
    from hatrack.workflows.route_content import _foreign

    embed = TextEmbedder(open_base("bundled/all-minilm-l6-v2"))
    settings = RoutingSettings(keep=0.9999)
    foreign = embed(_foreign(settings, work))
    profiles = {}
    for name in DOMAINS:
        rows = [json.loads(line)["text"] for line in (work / f"{name}-train.jsonl").read_text(encoding="utf-8").splitlines()][:500]
        mean = embed(rows).mean(axis=0, keepdims=True)
        profiles[name] = learn_profile(mean / np.linalg.norm(mean), foreign, foreign, settings, embed.fingerprint)

    def chosen(some: np.ndarray) -> np.ndarray:
        scores = np.stack([profile.similarity(some) for profile in profiles.values()], axis=1)
        least = np.array([profile.figures.threshold for profile in profiles.values()])
        accepted = np.where(scores >= least, scores, -1)
        return np.where(accepted.max(axis=1) > -1, accepted.argmax(axis=1), -1)

    right = [chosen(vectors[name]) == i for i, name in enumerate(DOMAINS)]
    away = {name: (chosen(vectors[name]) < 0).mean() for name in OTHERS}
    return {
        "one_centroid_accuracy": np.concatenate(right).mean(),
        "one_centroid_unrelated_to_base": np.mean([away[name] for name in UNRELATED]),
        **{f"one_centroid_{name}_to_base": share for name, share in away.items() if name not in UNRELATED},
    }
