"""Texts that a foreign tool may read in another way: capitals, digits, spaces, other scripts, special characters."""

from __future__ import annotations

__all__ = ["AWKWARD"]

AWKWARD = (
    "The tenant's lease isn't up until 31.12.2024; he'll owe 1,234.50 EUR.",
    "  two  spaces,\n\n\na blank line\tand a tab \r\nend ",
    "Straße déjà-vu naïve 東京 प्रदेश 🙂 ½ ²",
    "def f(x_1): return {'a': [1, 22, 333, 4444], \"b\": None}  # !!",
    "WE'RE I'LL you'D THEY'VE",
)
