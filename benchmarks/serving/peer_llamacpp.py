"""llama.cpp by xllamacpp on the same base in Q4_1. Prints JSON. Arguments: GGUF file, folder of adapters, repeats."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import xllamacpp
from speeds import speeds
from workload import CROWD, NEW, prompt

from hatrack.models.gguf.lora import write_gguf_lora
from hatrack.models.gguf.shape import read_gguf_base


def open_server(gguf, loaded):
    params = xllamacpp.CommonParams()
    params.model.path = str(gguf)
    params.n_parallel, params.n_ctx = CROWD, CROWD * 512
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count()
    params.cache_prompt, params.cache_ram_mib, params.verbosity = False, 0, -1
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(path), 0.0) for path in loaded]
    return xllamacpp.Server(params)


def rate(server, places, seed, loaded):
    """One thread for each request; ``places`` are those of the adapters asked for."""
    tokens = []

    def one(n, place):
        scales = [{"id": i, "scale": float(i == place)} for i in range(loaded)]
        body = {"prompt": prompt(seed * 1000 + n), "max_tokens": NEW, "temperature": 0, "ignore_eos": True, "cache_prompt": False}
        tokens.append(server.handle_completions({**body, "lora": scales})["usage"]["completion_tokens"])

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(places)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(tokens) / (time.perf_counter() - begin)


if __name__ == "__main__":
    gguf, adapters, repeats = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    base = read_gguf_base(gguf)
    converted = [write_gguf_lora(adapters / f"weights-{n}", base, adapters / f"weights-{n}.gguf") for n in range(CROWD)]
    found = {}
    for kind, loaded in (("base", []), ("mixed", converted)):
        server = open_server(gguf, loaded)
        places = range(CROWD) if loaded else [None] * CROWD
        rate(server, places[:2], 0, len(loaded))
        found |= speeds(lambda _, count, seed: rate(server, places[:count], seed, len(loaded)), repeats, (kind,))  # noqa: B023
        del server
    print(json.dumps(found))
