"""The README's table from the newest recorded run: python benchmarks/domains/table.py."""

from __future__ import annotations

import json
from pathlib import Path

NAMES = {"legal": "legal (CUAD clauses)", "finance": "finance (banking77)", "medical": "medical (MedQuAD questions)"}
KINDS = {"": "SmolLM2-135M, label generated", "_encoder": "all-MiniLM-L6-v2, with a head"}


def main() -> None:
    newest = sorted((Path(__file__).parent / "results").glob("*.json"))[-1]
    claims = json.loads(newest.read_text(encoding="utf-8"))["claims"]
    print("| domain | base model | train / test rows | base | adapter | gain (95 % interval) | training |")
    print("|---|---|---|---|---|---|---|")
    for kind, model in KINDS.items():
        for domain, name in NAMES.items():
            at = {key.removeprefix(f"{domain}{kind}_"): value for key, value in claims.items() if key.startswith(f"{domain}{kind}_")}
            print(
                f"| {name} | {model} | {at['rows']:,.0f} / {at['test_rows']:,.0f} | {at['base']:.3f} | **{at['adapter']:.3f}** "
                f"| {at['adapter'] - at['base']:+.3f} ({at['gain_low']:+.3f} to {at['gain_high']:+.3f}) | {at['seconds'] / 60:.1f} min |"
            )
    print()
    for name, title in (("banking77", "banking77, all 77 intents"), ("cuad", "CUAD, all 37 clause types")):
        print(
            f"Against TF-IDF with a linear SVM on the same rows, {title}: accuracy {claims[f'{name}_accuracy']:.3f} against "
            f"{claims[f'{name}_svm_accuracy']:.3f} ({claims[f'{name}_accuracy_over_svm_low']:+.3f} to "
            f"{claims[f'{name}_accuracy_over_svm_high']:+.3f}), macro-F1 {claims[f'{name}_macro_f1']:.3f} against "
            f"{claims[f'{name}_svm_macro_f1']:.3f} ({claims[f'{name}_macro_f1_over_svm_low']:+.3f} to "
            f"{claims[f'{name}_macro_f1_over_svm_high']:+.3f})."
        )


if __name__ == "__main__":
    main()
