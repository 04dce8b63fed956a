"""llama.cpp by xllamacpp on the same base in Q4_1. Prints JSON. Arguments: GGUF file, folder of adapters, repeats."""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from pathlib import Path

import xllamacpp
from workload import CROWD, NEW, prompt

from hatrack.serving.engines.gguf_lora import read_gguf_base, write_gguf_lora

if __name__ == "__main__":
    gguf, adapters, repeats = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    base = read_gguf_base(gguf)
    converted = [write_gguf_lora(adapters / f"weights-{n}", base, adapters / f"weights-{n}.gguf") for n in range(CROWD)]

    def open_server(loaded):
        params = xllamacpp.CommonParams()
        params.model.path = str(gguf)
        params.n_parallel, params.n_ctx = CROWD, CROWD * 512
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count()
        params.cache_prompt, params.cache_ram_mib, params.verbosity = False, 0, -1
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(path), 0.0) for path in loaded]
        return xllamacpp.Server(params)

    def rate(server, places, seed, loaded):
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

    found = {}
    for kind, loaded in (("base", 0), ("mixed", CROWD)):
        server = open_server(converted[:loaded])
        for repeat in range(repeats + 1):
            for count in (1, 8, CROWD):
                speed = rate(server, range(count) if loaded else [None] * count, 10 * repeat + bool(loaded), loaded)
                if repeat:  # the first one warms up
                    found.setdefault(f"{kind}{count}", []).append(speed)
        del server
    print(json.dumps({key: statistics.median(values) for key, values in found.items()}))
