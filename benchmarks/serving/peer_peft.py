"""transformers and PEFT: one batch with ``adapter_names``, and switching for each request. Prints JSON.

Arguments: base folder, folder of adapters, repeats, dtype.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
from workload import CROWD, NEW, prompt

if __name__ == "__main__":
    base, adapters, repeats, dtype = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), getattr(torch, sys.argv[4])
    torch.set_num_threads(os.cpu_count() or 1)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    model = PeftModel.from_pretrained(plain, str(adapters / "weights-0"), adapter_name="a0", autocast_adapter_dtype=False)
    for n in range(1, CROWD):
        model.load_adapter(str(adapters / f"weights-{n}"), adapter_name=f"a{n}", autocast_adapter_dtype=False)
    model.to(dtype).eval()
    every = [f"a{n}" for n in range(CROWD)]
    asked = {"max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False, "pad_token_id": 0}

    def rate(count, seed, names=None):
        ids = torch.tensor([prompt(seed * 1000 + n) for n in range(count)])
        mixed = {"adapter_names": names} if names else {}
        begin = time.perf_counter()
        with torch.inference_mode():
            made = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **asked, **mixed)
        return count * (made.shape[1] - ids.shape[1]) / (time.perf_counter() - begin)

    def switching(count, seed):
        begin = time.perf_counter()
        for n in range(count):
            model.set_adapter(every[n])
            rate(1, seed + n)
        return count * NEW / (time.perf_counter() - begin)

    found = {}
    for repeat in range(repeats + 1):
        for count in (1, CROWD):
            speed = rate(count, 10 * repeat, every[:count])
            if repeat:
                found.setdefault(f"mixed{count}", []).append(speed)
    claims = {key: statistics.median(values) for key, values in found.items()}
    print(json.dumps({**claims, "one_by_one": switching(8, 500)}))
