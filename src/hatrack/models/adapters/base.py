"""Forms: how an adapter's files become something that acts on a base. Each is one file with one function.

The name of a form is PEFT's ``peft_type`` in lower case. Many methods share one form: what ``lora``, ``pissa``,
``adalora`` and ``qlora`` train is all applied as ``lora``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from torch import nn

from hatrack.core.errors import AdapterBroken
from hatrack.core.plugins import Plugins
from hatrack.models.adapters.folder import CONFIG, read_json
from hatrack.models.adapters.switch import Variant

__all__ = ["FORMS", "Form", "form_name", "read_variants"]


class Form(Protocol):
    """Reads one kind of adapter."""

    def __call__(self, folder: Path, root: nn.Module) -> dict[str, Variant]:
        """What the adapter in ``folder`` does to which modules of ``root``; the base is not changed.

        Raises:
            AdapterBroken: damaged files, keys this form does not know, or tensors that do not fit the base.
        """
        ...


FORMS: Plugins[Form] = Plugins(
    "form",
    {
        "adaption-prompt": "hatrack.models.adapters.zero_init:fit_adaption_prompt",
        "bottleneck": "hatrack.models.adapters.bottleneck:fit_bottleneck",
        "delta": "hatrack.models.adapters.delta:fit_delta",
        "ia3": "hatrack.models.adapters.ia3:fit_ia3",
        "ln-tuning": "hatrack.models.adapters.delta:fit_norms",
        "lora": "hatrack.models.adapters.lora:fit_lora",
        "p-tuning": "hatrack.models.adapters.virtual:fit_prompt",
        "prefix-tuning": "hatrack.models.adapters.virtual:fit_prefix",
        "prompt-tuning": "hatrack.models.adapters.virtual:fit_prompt",
        "vera": "hatrack.models.adapters.vera:fit_vera",
    },
)


def form_name(peft_type: str) -> str:
    """``LN_TUNING`` to ``ln-tuning``."""
    return peft_type.lower().replace("_", "-")


def read_variants(folder: Path, root: nn.Module) -> dict[str, Variant]:
    """The variants of the adapter in ``folder``, by the form its config names (looked up, never imported: F22).

    Raises:
        AdapterBroken: see ``Form``; or a form that is not known here.
    """
    peft_type = read_json(folder).get("peft_type")
    name = form_name(peft_type) if isinstance(peft_type, str) else ""
    if name not in FORMS.names():
        raise AdapterBroken(
            f"{CONFIG} names a form of adapter that Hatrack does not apply",
            given=f"peft_type: {peft_type!r}",
            allowed=", ".join(sorted(known.upper().replace("-", "_") for known in FORMS.names())),
            fix="retrain it with one of `hatrack methods`",
        )
    return FORMS.get(name)(folder, root)
