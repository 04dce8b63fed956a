"""The table of docs/export.md from the newest recorded run: python benchmarks/exports/table.py."""

from __future__ import annotations

import json
from pathlib import Path

TASKS = {"causal": "SmolLM2-135M, label generated", "encoder": "all-MiniLM-L6-v2, with a head", "embedder": "all-MiniLM-L6-v2, embedder"}
TOOLS = {
    "peft": "PEFT",
    "merged": "transformers",
    "gguf": "llama.cpp",
    "gguf-adapter": "llama.cpp",
    "ollama": "llama.cpp",
    "vllm": "vLLM",
    "folder": "transformers",
    "onnx": "onnxruntime",
}


def main() -> None:
    newest = sorted((Path(__file__).parent / "results").glob("*.json"))[-1]
    claims = json.loads(newest.read_text(encoding="utf-8"))["claims"]
    print("| adapter | format, precision | opened again with | megabytes | here | there | change (95 %) | same answers | speed there |")
    print("|---|---|---|---|---|---|---|---|---|")
    for key in (key.removesuffix("_bytes") for key in claims if key.endswith("_bytes")):
        task, form, part = key.split("_", 2)
        one = {name.removeprefix(f"{key}_"): value for name, value in claims.items() if name.startswith(f"{key}_")}
        change = f"{one['there'] - one['here']:+.3f} ({one['low']:+.3f} to {one['high']:+.3f})"
        speed = f"{one['tokens_per_second']:.0f} tokens/s" if "tokens_per_second" in one else f"{one['rows_per_second']:.0f} rows/s"
        print(
            f"| {TASKS[task]} | `{form}`, {part} | {TOOLS[form]} | {one['bytes'] / 1e6:,.1f} | {one['here']:.3f} | {one['there']:.3f} "
            f"| {change} | {one['same']:.1%} | {speed} |"
        )


if __name__ == "__main__":
    main()
