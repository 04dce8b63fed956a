"""Tables: German credit and credit default against plain scikit-learn in the same run, and the checker of words.

Both sets come divided; settings, calibration and thresholds are chosen on training rows alone. The plain pipelines are
those that a tutorial would write: one-hot, scaling, defaults; their threshold is the one that calibrated probabilities ask
for at the stated costs. A finished part is kept, and an interrupted run goes on behind it.

    python benchmarks/run.py tabular --data FOLDER
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from over_http import http_claims
from plain import plain_pipelines
from stream import stream_claims
from texts import FAULTS, texts

from hatrack.core.config import GateRules
from hatrack.core.config_tables import TableConfig
from hatrack.evaluation.delong import auc_difference, auc_interval
from hatrack.evaluation.statistics import bca_interval
from hatrack.tabular.explaining.reasons import by_column
from hatrack.tabular.fitting.fit import fit_table, prepare_table
from hatrack.tabular.read import read_table
from hatrack.tabular.wording.check import check_text
from hatrack.workflows.table_report import scored

SETS: dict[str, dict[str, Any]] = {
    "german": {
        "files": ("german_credit/train.csv", "german_credit/test.csv"),
        "config": {
            "target": "label",
            "positive": "bad",
            "model": "blend",
            "costs": {"bad": {"good": 5}, "good": {"bad": 1}},
            "protected": ("age", "personal_status_sex", "foreign_worker"),
        },
        "folds": 10,
    },
    "credit": {
        "files": ("uci_credit_default/train.csv.gz", "uci_credit_default/test.csv.gz"),
        "config": {"target": "default", "positive": "1", "model": "xgboost", "protected": ("SEX", "AGE")},
        "folds": 5,
    },
}
COSTS = (5.0, 1.0)  # German credit's own: a bad customer taken for good, a good one for bad
ROWS = 200  # single rows that are timed


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


def table_claims(name: str, data: Path) -> dict[str, float]:
    """One set: figures of ours and of the plain pipelines, on the same test rows."""
    chosen = SETS[name]
    (train, _), (test, _) = (read_table(data / "tabular" / file) for file in chosen["files"])
    config = TableConfig(data="-", split={"folds": chosen["folds"]}, **chosen["config"])
    ground = prepare_table(train, config, test)
    begin = time.perf_counter()
    model = fit_table(ground, say).model
    claims: dict[str, float] = {f"{name}_seconds": time.perf_counter() - begin}
    answers = scored(model, ground)
    truth, ours = answers.truth, answers.score[:, 1]
    confidence = GateRules().confidence
    auc, interval = auc_interval(truth, ours, confidence)
    claims |= {f"{name}_auc": auc, f"{name}_auc_low": interval.low, f"{name}_auc_high": interval.high}
    claims[f"{name}_one_row_p50_ms"] = one_row(lambda row: model.answers(model.predict(model.table([row]))), ground.test.rows())
    claims[f"{name}_shap_gap"] = shap_gap(model, ground.test)
    if config.costs:
        ours_cost = costs(truth, answers.chosen)
        claims[f"{name}_cost"] = float(ours_cost.sum())
        claims |= between(f"{name}_cost", ours_cost, confidence)
    for plain, (fit, predict) in plain_pipelines(ground).items():
        begin = time.perf_counter()
        fit()
        claims[f"{name}_{plain}_seconds"] = time.perf_counter() - begin
        theirs = predict(ground.test.rows())
        claims[f"{name}_{plain}_auc"] = auc_interval(truth, theirs, confidence)[0]
        gain, gap = auc_difference(truth, ours, theirs, confidence)
        claims |= {f"{name}_gain_over_{plain}": gain, f"{name}_gain_over_{plain}_low": gap.low, f"{name}_gain_over_{plain}_high": gap.high}
        claims[f"{name}_{plain}_one_row_p50_ms"] = one_row(lambda row, predict=predict: predict([row]), ground.test.rows())
        if config.costs:
            their_cost = costs(truth, (theirs >= COSTS[1] / sum(COSTS)).astype(int))
            claims[f"{name}_{plain}_cost"] = float(their_cost.sum())
            claims |= between(f"{name}_cost_saved_over_{plain}", their_cost - ours_cost, confidence)
        say(f"{name} {plain}: AUC {claims[f'{name}_{plain}_auc']:.4f}, ours {auc:.4f}")
    return claims


def costs(truth: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Of each test row."""
    return COSTS[0] * ((truth == 1) & (chosen == 0)) + COSTS[1] * ((truth == 0) & (chosen == 1))


def between(name: str, rows: np.ndarray, confidence: float) -> dict[str, float]:
    """The interval of a sum over all test rows."""
    interval = bca_interval(lambda found: float(found.mean()), rows[:, None], confidence, 0)
    return {f"{name}_low": interval.low * len(rows), f"{name}_high": interval.high * len(rows)}


def shap_gap(model: Any, rows: Any) -> float:
    """The largest distance between a margin and its start plus all its SHAP values, over the test rows."""
    matrix = model.matrix(rows)
    parts, start = by_column(model, matrix)
    return float(np.abs(parts.sum(axis=2) + start - model.judge(matrix).margins).max())


def one_row(predict: Callable[[dict[str, Any]], object], rows: list[dict[str, Any]]) -> float:
    """Median milliseconds for a single row, from its cells to the answer."""
    times = []
    for row in rows[:ROWS]:
        begin = time.perf_counter()
        predict(row)
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def text_claims() -> dict[str, float]:
    """How many planted faults the checker finds, and how many right texts it suspects."""
    wrong, right = texts(200, 13, planted=True), texts(200, 14, planted=False)
    caught = [bool(check_text(text.words, text.facts)) for text in wrong]
    claims = {
        "texts_caught": sum(caught) / len(wrong),
        "texts_false_alarms": sum(bool(check_text(text.words, text.facts)) for text in right) / len(right),
    }
    for fault in FAULTS:
        own = [hit for hit, text in zip(caught, wrong, strict=True) if text.planted == fault]
        claims[f"texts_caught_{fault.replace(' ', '_')}"] = sum(own) / len(own)
    return claims


def run(data: Path, work: Path) -> dict[str, float]:
    work.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[], dict[str, float]]] = {
        "texts": text_claims,
        "stream": stream_claims,
        "http": lambda: http_claims(data, work),
        "german": lambda: table_claims("german", data),
        "credit": lambda: table_claims("credit", data),
    }
    claims: dict[str, float] = {}
    for name, part in parts.items():
        kept = work / f"{name}.json"
        if not kept.is_file():
            found = part()
            kept.with_suffix(".part").write_text(json.dumps(found))
            kept.with_suffix(".part").replace(kept)
        claims |= json.loads(kept.read_text())
        say(f"{name} is done")
    claims["one_row_p50_ms"] = max(claims["german_one_row_p50_ms"], claims["credit_one_row_p50_ms"])
    return {key: round(value, 7 if key.endswith("_gap") else 4) for key, value in claims.items()}
