"""What starting a server costs: modules that take seconds to import stay out until somebody needs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from served_adapters import plant, project_of

SCRIPT = """
import json, sys, threading
from pathlib import Path
from hatrack.api.app import create_app
from hatrack.api.keys import KeyFile, KeyRing
from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.serving.request import Finished, SamplingParams
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings
import hatrack.api.server, hatrack.api.journal, hatrack.api.spans

root = Path(sys.argv[1])
config = read_config(root)
service = ModelService(Project(root), config, EngineSettings(precision="fp32", slots=2, rank=8, context=64, kv_gb=0.01))
service.start()
create_app(service, KeyRing((), KeyFile(root / "keys.json")), config.serve.http, loopback_only=True)
over = threading.Event()
service.submit(service.resolve("a"), [50, 51], SamplingParams(max_tokens=1), lambda event: isinstance(event, Finished) and over.set())
assert over.wait(60)
print(json.dumps(sorted(sys.modules)))
service.stop()
"""

HEAVY = (
    "accelerate",
    "datasets",
    "pandas",
    "peft",
    "scipy.stats",
    "sklearn",
    "sympy",
    "torch._dynamo",
    "torch._inductor",
    "torch.distributed.tensor",
    "torchvision",
    "transformers.generation",
    "transformers.modeling_utils",
    "transformers.models.auto",
    "transformers.models.llama",
    "trl",
)


def test_a_server_reaches_its_first_token_without_heavy_modules(tiny_causal, tmp_path):
    root = project_of(tmp_path, tiny_causal)
    plant(root, tiny_causal, "a", 0)
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(root)], env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    loaded = set(json.loads(ran.stdout))
    assert "hatrack.serving.engine" in loaded
    assert sorted(loaded & set(HEAVY)) == []
