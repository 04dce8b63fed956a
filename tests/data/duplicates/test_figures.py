"""The page quotes the newest recorded run."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_figures_in_the_page_are_those_of_the_newest_recorded_run():
    results = sorted((ROOT / "benchmarks" / "dedupe" / "results").glob("*.json"))
    claims = json.loads(results[-1].read_text(encoding="utf-8"))["claims"]
    page = (ROOT / "docs" / "duplicates.md").read_text(encoding="utf-8")
    ours, same, own = (
        f"| {claims[f'{prefix}recall']:.3f} | {claims[f'{prefix}precision']:.3f} |"
        for prefix in ("", "datasketch_", "datasketch_own_bands_")
    )
    assert f"| Hatrack {ours} {claims['hatrack_cpu_seconds']:.2f} s" in page
    assert f"16 bands {same} {claims['datasketch_cpu_seconds']:.2f} s | {claims['ratio_datasketch']:.1f} |" in page
    assert f"itself {own} {claims['datasketch_own_bands_cpu_seconds']:.2f} s | {claims['ratio_datasketch_own_bands']:.1f} |" in page
    assert f"{claims['million_cpu_seconds']:.1f} s of CPU time and {claims['million_peak_rss_mb']:.0f} MB" in page
    assert f"{claims['million_split_peak_rss_mb']:.0f} MB for\nthe whole split" in page
    assert f"{claims['letters_cpu_seconds']:.1f} s and {claims['letters_peak_rss_mb']:.0f} MB" in page
