"""transformers and PEFT: one batch with ``adapter_names``, and switching for each request. Prints JSON.

Arguments: base folder, folder of adapters, repeats, dtype. ``tokens``: what each adapter makes of its prompt by itself.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import torch
from peft import PeftModel
from runs import tell
from speeds import speeds
from transformers import AutoModelForCausalLM
from workload import CROWD, NEW, prompt

if __name__ == "__main__":
    base, adapters, repeats, dtype = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), getattr(torch, sys.argv[4])
    torch.set_num_threads(os.cpu_count() or 1)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    plain.generation_config.eos_token_id = None  # everybody makes all the tokens
    model = PeftModel.from_pretrained(plain, str(adapters / "weights-0"), adapter_name="a0", autocast_adapter_dtype=False)
    for n in range(1, CROWD):
        model.load_adapter(str(adapters / f"weights-{n}"), adapter_name=f"a{n}", autocast_adapter_dtype=False)
    model.to(dtype).eval()
    every = [f"a{n}" for n in range(CROWD)]

    def answer(prompts, **more):
        ids = torch.tensor(prompts)
        with torch.inference_mode():
            made = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False, pad_token_id=0, **more
            )
        return made[:, ids.shape[1] :].tolist()

    def rate(kind, count, seed):
        prompts = [prompt(seed * 1000 + n) for n in range(count)]
        begin = time.perf_counter()
        if kind == "base":
            with model.disable_adapter():
                made = answer(prompts)
        else:
            made = answer(prompts, adapter_names=every[:count])
        return sum(map(len, made)) / (time.perf_counter() - begin)

    answer([prompt(-1)])
    figures = speeds(rate, repeats)
    tokens, begin = [], time.perf_counter()
    for n, name in enumerate(every):
        model.set_adapter(name)
        tokens += answer([prompt(n)])
    figures["switched"] = CROWD * NEW / (time.perf_counter() - begin)
    tell(f"one after the other, switched for each: {figures['switched']:.1f} tok/s")
    print(json.dumps({**figures, "tokens": tokens}))
