"""Models that preparing data may ask for: an embedder for paraphrases, a language model for questions on documents.

They are opened only when a setting asks for one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from hatrack.models.embedder import TextEmbedder
from hatrack.models.loading import open_base

__all__ = ["Tools"]

EMBEDDER = "bundled/all-minilm-l6-v2"
