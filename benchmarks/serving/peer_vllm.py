"""vLLM on the CPU, offline, in its own environment. Prints JSON. Arguments: base folder, folder of adapters, repeats, dtype."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", f"0-{(os.cpu_count() or 1) - 1}")  # by itself it leaves out hyper-threads

if __name__ == "__main__":
    from runs import tell
    from speeds import speeds
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest
    from workload import CROWD, NEW, prompt

    base, adapters, repeats, dtype = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    begin = time.perf_counter()
    model = LLM(
        base,
        enable_lora=True,
        max_loras=CROWD,
        max_lora_rank=16,
        dtype=dtype,
        max_model_len=512,
        max_num_seqs=CROWD,
        enforce_eager=True,
        enable_prefix_caching=False,
    )
    tell(f"up after {time.perf_counter() - begin:.0f} s")
    asked = SamplingParams(max_tokens=NEW, ignore_eos=True, temperature=0, detokenize=False)
    every = [LoRARequest(f"a{n}", n + 1, str(adapters / f"weights-{n}")) for n in range(CROWD)]

    def rate(kind, count, seed, asked=asked):
        prompts = [{"prompt_token_ids": prompt(seed * 1000 + n)} for n in range(count)]
        begin = time.perf_counter()
        answers = model.generate(prompts, asked, lora_request=every[:count] if kind == "mixed" else None, use_tqdm=False)
        return sum(len(answer.outputs[0].token_ids) for answer in answers) / (time.perf_counter() - begin)

    rate("mixed", CROWD, 0, SamplingParams(max_tokens=2, ignore_eos=True, temperature=0))  # adapters loaded
    print(json.dumps(speeds(rate, repeats)))
