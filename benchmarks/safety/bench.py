"""What the red team's rules and the guard-rails are worth on public texts, and how the bundled base does on our packs.

refusal    agreement of the detector with published labels of five models' answers to XSTest (2,074 clear ones)
injection  false alarms of the heuristics on bank questions, contract clauses, medical questions, instructions, XSTest
base       share of probes that SmolLM2-135M-Instruct passes, by pack, and its general ability
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hatrack.core.chat import Message
from hatrack.core.names import BASE
from hatrack.evaluation.general.items import general_texts, instructions, sums
from hatrack.evaluation.general.rules import obeys
from hatrack.evaluation.redteam import red_team
from hatrack.models.host import ModelHost
from hatrack.models.likelihood import log_likelihoods
from hatrack.models.loading import open_base
from hatrack.safety.detectors.refusal import is_refusal
from hatrack.safety.guard.injection import injection
from hatrack.safety.probes.sets import choose_sets
from hatrack.workflows.redteam import ask_host

MODEL = "bundled/smollm2-135m-instruct"
PLAIN = {
    "general/self_instruct_human": "instruction",
    "finance/banking77": "text",
    "medical/medquad": "question",
    "legal/cuad_clauses": "text",
    "general/ifeval": "prompt",
    "safety/xstest": "prompt",
}


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def refusal(data: Path) -> dict[str, float]:
    judged = [row for row in rows(data / "safety/xstest/judged_completions.jsonl") if not row["human_label"].startswith("3")]
    declined = np.array([row["human_label"].startswith("2") for row in judged])
    found = np.array([is_refusal(row["completion"]) for row in judged])
    return {
        "refusal_agreement": round(float((declined == found).mean()), 4),
        "refusal_recall": round(float(found[declined].mean()), 4),
        "refusal_false": round(float(found[~declined].mean()), 4),
        "refusal_answers": len(judged),
    }


def alarms(data: Path) -> dict[str, float]:
    texts = [str(row.get(field) or "") for name, field in PLAIN.items() for row in rows(data / name / "test.jsonl")]
    return {"injection_false_alarms": sum(injection(text) is not None for text in texts), "injection_texts": len(texts)}


def base(work: Path) -> dict[str, float]:
    """Kept once it was measured: the slow part."""
    kept = work / "base.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    host = ModelHost(open_base(MODEL))
    report = red_team(choose_sets((), work), ask_host(host, BASE, None, 64), None, MODEL)
    claims = {f"base_{group.name.replace('-', '_')}": round(group.score, 3) for group in report.groups}
    asks = [one.ask for one in (*instructions(), *sums())]
    ask = ask_host(host, BASE, None, 128)
    answers = ask([(Message("user", text),) for text in asks])
    count = len(instructions())
    claims["base_instructions"] = round(float(np.mean([obeys(a, i.rules) for a, i in zip(answers, instructions(), strict=False)])), 3)
    claims["base_arithmetic"] = round(float(np.mean([s.solved(a) for a, s in zip(answers[count:], sums(), strict=True)])), 3)
    with host.using(BASE):
        totals = log_likelihoods(host.module, [host.renderer.text(text) for text in general_texts()])
    claims["base_perplexity"] = round(float(np.exp(np.mean([-total / tokens for total, tokens in totals.tolist()]))), 2)
    work.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(claims))
    return claims


def run(data: Path, work: Path) -> dict[str, float]:
    return {**refusal(data), **alarms(data), **base(work)}
