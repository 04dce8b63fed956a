"""Dropout inside the base, turned off on request: fused attention kernels run, and frozen blocks become exact to keep."""

from __future__ import annotations

from torch import nn

__all__ = ["turn_off_dropout"]


def turn_off_dropout(base: nn.Module) -> None:
    """Set every dropout rate of a base to zero, before a method adds its own.

    Rates stand in dropout modules, or as numbers of a block that calls the function (``attention_dropout``).
    """
    for module in base.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in list(vars(module).items()):
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)
