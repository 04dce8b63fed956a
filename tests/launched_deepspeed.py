"""One process that a real launcher starts with DeepSpeed: python -m launched_deepspeed STEP train ...

It sends itself SIGTERM as that step begins; 0: it does not.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys

from hatrack.cli.main import main
from launched import end_at

if __name__ == "__main__":
    # compiled for half a minute, and between processes of one machine it goes past gloo
    importlib.import_module("deepspeed.comm.torch").build_shm_op = lambda: None
    if step := int(sys.argv.pop(1)):
        end_at(step, int(os.environ["RANK"]), signal.SIGTERM)
    main()
