"""The page quotes the newest recorded run."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAIN = ("logistic", "forest", "histogram")


def test_the_figures_in_the_page_are_those_of_the_newest_recorded_run():
    results = sorted((ROOT / "benchmarks" / "tabular" / "results").glob("*.json"))
    claims = json.loads(results[-1].read_text(encoding="utf-8"))["claims"]
    page = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    german, credit = (_around(claims, f"{name}_auc", ".3f") for name in ("german", "credit"))
    assert f"| ROC AUC | {german} | {credit} |" in page
    for plain in PLAIN:
        cells = [_around(claims, f"{name}_gain_over_{plain}", "+.3f") for name in ("german", "credit")]
        assert f"| {cells[0]} | {cells[1]} |" in page, plain
        cost, low, high = (
            claims[f"german_{key}"] for key in (f"{plain}_cost", f"cost_saved_over_{plain}_low", f"cost_saved_over_{plain}_high")
        )
        assert f"saved | {cost:.0f}, {cost - claims['german_cost']:+.0f} ({low:+.0f} to {high:+.0f}) |" in page, plain
    assert f"all test rows | {claims['german_cost']:.0f} ({claims['german_cost_low']:.0f} to {claims['german_cost_high']:.0f}) |" in page
    times = [
        f"{claims[f'{n}_one_row_p50_ms']:.1f} ms; " + ", ".join(f"{claims[f'{n}_{plain}_one_row_p50_ms']:.0f}" for plain in PLAIN) + " ms"
        for n in ("german", "credit")
    ]
    assert f"| {times[0]} | {times[1]} |" in page
    seconds = [
        f"{claims[f'{n}_seconds']:.0f} s; " + ", ".join(f"{claims[f'{n}_{plain}_seconds']:.1f}" for plain in PLAIN) + " s"
        for n in ("german", "credit")
    ]
    assert f"| {seconds[0]} | {seconds[1]} |" in page
    for what in ("predict", "explain"):
        assert all(f"{claims[f'http_{model}_{what}_p50_ms']:.1f}" in page for model in ("blend", "xgboost"))
    assert (claims["texts_caught"], claims["texts_false_alarms"]) == (1.0, 0.0)
    kinds = ("continued", "partial_fit", "river")
    flagged, recovered = ([f"{claims[f'stream_{kind}_{key}_after']:.0f}" for kind in kinds] for key in ("flagged", "recovered"))
    assert "after {}, {} and {} rows".format(*flagged) in page
    assert "after {}, {} and {}; a model".format(*recovered) in page


def _around(claims, key, shape):
    low, high = (format(claims[f"{key}_{end}"], shape) for end in ("low", "high"))
    return f"{format(claims[key], shape)} ({low} to {high})"
