"""From rows to train, validation and test: duplicates are found first, so that what is alike stays on one side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import CheckFailed
from hatrack.data.records import Example, Splits, normalised
from hatrack.data.steps import Progress, Steps
from hatrack.data.tools import Tools

__all__ = ["Divided", "divide"]
