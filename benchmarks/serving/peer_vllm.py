"""vLLM on the CPU, offline, in its own environment. Prints JSON. Arguments: base folder, folder of adapters, repeats, dtype."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}

if __name__ == "__main__":
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest
    from workload import CROWD, NEW, prompt

    base, adapters, repeats, dtype = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
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
    asked = SamplingParams(max_tokens=NEW, ignore_eos=True, temperature=0, detokenize=False)
    every = [LoRARequest(f"a{n}", n + 1, str(adapters / f"weights-{n}")) for n in range(CROWD)]

    def rate(requests, seed):
        prompts = [{"prompt_token_ids": prompt(seed * 1000 + n)} for n in range(len(requests))]
        begin = time.perf_counter()
        answers = model.generate(prompts, asked, lora_request=requests if requests[0] else None, use_tqdm=False)
        return sum(len(answer.outputs[0].token_ids) for answer in answers) / (time.perf_counter() - begin)

    rate(every, 0)
    found = {}
    for repeat in range(1, repeats + 1):
        for count in (1, 8, CROWD):
            found.setdefault(f"base{count}", []).append(rate([None] * count, 10 * repeat))
            found.setdefault(f"mixed{count}", []).append(rate(every[:count], 10 * repeat + 1))
    print(json.dumps({key: statistics.median(values) for key, values in found.items()}))
