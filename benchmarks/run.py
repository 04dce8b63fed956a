"""Run one benchmark and keep its figures: python benchmarks/run.py NAME --data FOLDER.

The last line printed is one JSON object: name, machine, versions, claims, seconds. The same object is kept in
benchmarks/NAME/results/. Each benchmark is a module ``benchmarks/NAME/bench.py`` with ``run(data, work) -> claims``.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
LIBRARIES = ("hatrack", "torch", "transformers", "peft", "numpy", "scipy", "scikit-learn")


def machine() -> dict[str, str | int]:
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": cpu or platform.processor(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(memory),
        "gpu": "none",
        "system": platform.system(),
    }


def main() -> None:
    names = sorted(path.parent.name for path in HERE.glob("*/bench.py"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=names)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--work", type=Path, default=Path(".bench"), help="scratch folder; an interrupted run goes on there")
    parser.add_argument("--part", help="only one part, where a benchmark has several; its figures are printed, not kept")
    parser.add_argument("--small", action="store_true", help="try a benchmark out, where it can; its figures mean nothing")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        sys.exit(f"there is no data folder {arguments.data}; give it with DATA=FOLDER")
    spec = importlib.util.spec_from_file_location("bench", HERE / arguments.name / "bench.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for what they are in
    spec.loader.exec_module(module)
    chosen: dict[str, str | bool] = {}
    if arguments.part:
        if arguments.part not in getattr(module, "PARTS", ()):
            sys.exit(f"{arguments.name} has no part {arguments.part}; it has {', '.join(getattr(module, 'PARTS', ())) or 'none'}")
        chosen["part"] = arguments.part
    if arguments.small:
        chosen["small"] = True
    start = time.time()
    claims = module.run(arguments.data.resolve(), (arguments.work / arguments.name).resolve(), **chosen)
    result = {
        "name": arguments.name,
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "claims": claims,
        "seconds": round(time.time() - start, 1),
    }
    if not chosen:
        results = HERE / arguments.name / "results"
        results.mkdir(exist_ok=True)
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H%M%SZ")
        (results / f"{stamp}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
