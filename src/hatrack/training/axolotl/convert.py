"""An Axolotl ``config.yml`` to a ``hatrack.yaml``, key by key; a key without counterpart is named, never dropped."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from hatrack.core.errors import ConfigError
from hatrack.core.names import BASE, closest, valid_name
from hatrack.training.axolotl.datasets import read_datasets
from hatrack.training.axolotl.keys import ALIKE, ANYWHERE, HARMLESS, MOVED, OFF, OTHERWISE, READ

__all__ = ["Unmatched", "convert"]

_LOSSES = ("dpo", "orpo", "kto")
_SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant", "constant_with_warmup": "constant"}
_NO_RISE = "a constant learning rate does not rise in Axolotl either"
_EIGHT_BIT_ADAMW = re.compile(r"(paged_)?adamw(_bnb)?_(8bit|32bit)|adamw_torch_8bit|ao_adamw_8bit|ao_adamw_4bit")


@dataclass(frozen=True)
class Unmatched:
    """A key that has no counterpart.

    Attributes:
        decides: another model would be trained than Axolotl's; False where only speed, memory or records differ.
    """

    key: str
    reason: str
    decides: bool


def convert(text: str) -> tuple[dict[str, Any], list[Unmatched]]:
    """The keys of a ``hatrack.yaml``, and every key of ``text`` that none of them stands for.

    Raises:
        ConfigError: ``text`` is no mapping in YAML, or names no base model.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        what = where + str(getattr(error, "problem", None) or error)
        raise ConfigError("the Axolotl config is not valid YAML", given=what, fix="correct that line") from error
    if not isinstance(raw, dict) or not raw.get("base_model"):
        raise ConfigError("this is no Axolotl config", given="no key base_model", allowed="a config.yml that `axolotl train` takes")
    given = {str(key): value for key, value in raw.items() if value is not None}  # an empty key says nothing
    reading = _Reading(given)
    reading.read()
    return {"base": given["base_model"], "adapters": {_name(given): reading.entry}}, reading.unmatched


class _Reading:
    """One pass over the keys; ``entry`` grows into the adapter's entry."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self.entry: dict[str, Any] = {}
        self.unmatched: list[Unmatched] = []

    def read(self) -> None:
        self._data_and_task()
        self._method()
        self._preference()
        self._schedule()
        for key, value in self.given.items():
            self._plain_key(key, value)
        for place, value in OTHERWISE.items():
            self._set(place, value, keep=True)

    def _plain_key(self, key: str, value: Any) -> None:
        if key in MOVED:
            self._moved(key, value)
        elif value in ALIKE.get(key, ()):
            return
        elif key == "optimizer" and not _EIGHT_BIT_ADAMW.fullmatch(str(value)):
            self._miss(key, f"AdamW is the optimizer, not {value}")
        elif key in OFF:
            if value not in (False, [], {}):
                self._miss(key, OFF[key])
        elif key in HARMLESS:
            if value is not False:
                self._miss(key, HARMLESS[key], decides=False)
        elif key.startswith(ANYWHERE):
            self._miss(key, "runs are recorded in .hatrack", decides=False)
        elif key == "chat_template":
            self._miss(key, "the base's own chat template is used, in training and in use (F06)")
        elif key not in READ:
            near = closest(key, [*MOVED, *ALIKE, *OFF, *HARMLESS, *READ], 1)
            self._miss(key, "not known here" + (f"; did you mean {near[0]}?" if near else ""))

    def _moved(self, key: str, value: Any) -> None:
        if key.startswith("lora_") and self.entry["method"] == "full":
            self._miss(key, "full fine-tuning has no such option")
            return
        if key == "learning_rate" and isinstance(value, str):
            with contextlib.suppress(ValueError):  # a word is refused with all other faults, where the whole is checked
                value = float(value)  # YAML takes 2e-4 for a text
        if key == "lora_target_modules":
            value = [value] if isinstance(value, str) else value
            if self.given.get("lora_target_linear"):
                self._miss(key, "lora_target_linear adapts all linear layers already", decides=False)
                return
        if key == "warmup_ratio" and self.given.get("lr_scheduler") == "constant":
            self._miss(key, _NO_RISE, decides=False)
            return
        self._set(MOVED[key], value)

    def _data_and_task(self) -> None:
        data = read_datasets(self.given, self._miss)
        self.entry |= {"data": data.files, "task": data.task}
        for key, value in (("columns", data.columns), ("system", data.system)):
            if value:
                self.entry[key] = value
        share = self.given.get("val_set_size")
        if "validation" in data.files:
            return
        if isinstance(share, int | float) and 0 < share < 0.4:
            self.entry["split"] = [round(1 - 2 * share, 6), share, share]
        else:
            self.entry["split"] = [0.8, 0.1, 0.1]
            self._miss("val_set_size", "rows are held out for validation and for the proof against the base: a tenth each", decides=False)

    def _method(self) -> None:
        adapter, four_bit = self.given.get("adapter"), bool(self.given.get("load_in_4bit"))
        variants = [name for key, name in (("peft_use_dora", "dora"), ("peft_use_rslora", "rslora")) if self.given.get(key)]
        if self.given.get("loraplus_lr_ratio"):
            variants.append("lora+")
        method = {None: "full", "lora": "lora", "qlora": "qlora", "llama-adapter": "llama-adapter"}.get(adapter)
        if method is None:
            self._miss("adapter", f"there is no method called {adapter}")
            method = "lora"
        if four_bit and method == "lora":
            method = "qlora"
        elif four_bit != (method == "qlora"):
            self._miss("load_in_4bit" if four_bit else "adapter", "qlora and a base in 4 bits belong together")
        if variants and method == "lora":
            method = variants.pop(0)
            if method == "lora+":
                self.entry["ratio"] = self.given["loraplus_lr_ratio"]
        for left in variants:
            key = {"dora": "peft_use_dora", "rslora": "peft_use_rslora", "lora+": "loraplus_lr_ratio"}[left]
            self._miss(key, f"{left} is a method of its own and does not go with {method}")
        self.entry["method"] = method

    def _preference(self) -> None:
        loss = self.given.get("rl")
        weights = {"rl_beta": ("dpo", "kto", "orpo"), "dpo_beta": ("dpo",), "orpo_alpha": ("orpo",)}
        if loss in _LOSSES:
            self.entry["preference"] = {"loss": loss}
        elif loss:
            self._miss("rl", f"there is no loss called {loss}; dpo, orpo and kto there are")
        if loss == "kto":
            self._miss("rl", "kto is computed from pairs here, and from single rated answers by Axolotl")
        for key, losses in weights.items():
            if key in self.given and loss in losses:
                self.entry["preference"]["beta"] = self.given[key]
            elif key in self.given:
                self._miss(key, f"it belongs to rl: {' or '.join(losses)}")

    def _schedule(self) -> None:
        name = self.given.get("lr_scheduler", "cosine")
        if name in _SCHEDULES:
            self._set("train.schedule", _SCHEDULES[name])
        else:
            self._miss("lr_scheduler", f"there is no schedule called {name}; {', '.join(dict.fromkeys(_SCHEDULES.values()))} there are")
        steps = self.given.get("warmup_steps")
        if steps and name == "constant":
            self._miss("warmup_steps", _NO_RISE, decides=False)
        elif steps:
            self._miss("warmup_steps", "warm-up is a share of all steps, not a number: give warmup_ratio")
        if steps == 0 or name == "constant":
            self._set("train.warmup", 0)
        tokens = self.given.get("special_tokens") or {}
        if set(tokens) - {"pad_token"}:
            self._miss("special_tokens", "the base's vocabulary and stop tokens stay as they are")

    def _set(self, place: str, value: Any, *, keep: bool = False) -> None:
        *path, last = place.split(".")
        target = self.entry
        for part in path:
            target = target.setdefault(part, {})
        if not (keep and last in target):
            target[last] = value

    def _miss(self, key: str, reason: str, *, decides: bool = True) -> None:
        self.unmatched.append(Unmatched(key, reason, decides))


def _name(given: Mapping[str, Any]) -> str:
    """The last part of ``output_dir`` as a name; ``axolotl`` where it cannot be one."""
    last = re.sub(r"[^a-z0-9._-]+", "-", str(given.get("output_dir", "")).rstrip("/").rpartition("/")[2].lower()).strip("-._")
    return last if valid_name(last) and last not in (BASE, "out", "outputs") else "axolotl"
