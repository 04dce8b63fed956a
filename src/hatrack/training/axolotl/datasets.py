"""``datasets:`` of an Axolotl config: which file, which task, which layout, which columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Datasets", "read_datasets"]

Miss = Callable[..., None]

_FILE_ENDINGS = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".txt")
# Keys of one data set that change nothing: where and how it is read.
_READING = ("split", "ds_type", "name", "trust_remote_code", "revision", "preprocess_shards")
_ROLES = {"roles_to_train": (["assistant"], ["gpt"], ["gpt", "assistant"], ["assistant", "gpt"]), "train_on_eos": ("turn",)}
_SFT_LAYOUTS = {"alpaca": "alpaca", "chat_template": "chat", "sharegpt": "sharegpt", "oasst": "oasst"}
_PAIR_TYPES = {
    None: {},
    "chat_template.default": {},
    "chat_template.argilla": {},
    "chatml.prompt_pairs": {},
    "chatml.intel": {"prompt": "question"},
    "llama3.intel": {"prompt": "question"},
}


@dataclass
class Datasets:
    """What the data sets amount to."""

    files: dict[str, str] = field(default_factory=dict)
    task: str = "instruct"
    columns: dict[str, str] = field(default_factory=dict)
    system: str | None = None


def read_datasets(given: Mapping[str, Any], miss: Miss) -> Datasets:
    """The first data set as Hatrack's ``data``; ``miss(key, reason)`` is told whatever has no counterpart."""
    found = Datasets()
    listed = given.get("datasets") or []
    if not listed or not isinstance(listed[0], dict):
        miss("datasets", "there is no data set to train on")
        return found
    for i in range(1, len(listed)):
        miss(f"datasets[{i}]", "an adapter learns from one file; put the rows together, or make two adapters")
    one = listed[0]
    found.files["train"] = _path(one, "datasets[0]", miss)
    if given.get("rl"):
        _pairs(one, found, miss)
    else:
        _conversations(one, found, miss)
    tests = given.get("test_datasets") or []
    if tests:
        found.files["validation"] = _path(tests[0], "test_datasets[0]", miss)
        for i in range(1, len(tests)):
            miss(f"test_datasets[{i}]", "there is one validation file")
    _rest(one, miss)
    return found


def _path(one: Mapping[str, Any], where: str, miss: Miss) -> str:
    files = one.get("data_files")
    names = [files] if isinstance(files, str) else list(files or [])
    if len(names) > 1:
        miss(f"{where}.data_files", "an adapter learns from one file; put the rows together")
    path = str(names[0] if names else one.get("path", ""))
    if not path.endswith(_FILE_ENDINGS) and not path.startswith((".", "/")):
        miss(f"{where}.path", f"{path} is no file; download the data set and name the file")
    if one.get("split", "train") != "train":
        miss(f"{where}.split", "a file holds one split; name the file that holds it")
    return path


def _conversations(one: Mapping[str, Any], found: Datasets, miss: Miss) -> None:
    kind = one.get("type")
    if isinstance(kind, dict):
        _own_prompt(kind, found, miss)
    elif kind == "completion":
        found.task = "complete"
        found.columns["text"] = str(one.get("field", "text"))
    elif kind in _SFT_LAYOUTS:
        messages = str(one.get("field_messages", "messages"))
        mapping = one.get("message_property_mappings") or {
            "role": one.get("message_field_role", "role"),
            "content": one.get("message_field_content", "content"),
        }
        shared = kind == "chat_template" and (mapping.get("role"), mapping.get("content")) == ("from", "value")
        found.files["layout"] = "sharegpt" if shared else _SFT_LAYOUTS[kind]
        if kind == "chat_template" and not shared:
            found.columns["messages"] = messages
            if (mapping.get("role"), mapping.get("content")) != ("role", "content"):
                miss("datasets[0].message_property_mappings", "turns have the keys role and content, or from and value")
        if kind == "alpaca":
            miss("datasets[0].type", "the base's chat template takes the place of the Alpaca prompt, in training and in use", decides=False)
    else:
        miss("datasets[0].type", f"there is no layout for {kind}; allowed: {', '.join(_SFT_LAYOUTS)}, completion")


def _own_prompt(kind: Mapping[str, Any], found: Datasets, miss: Miss) -> None:
    """A prompt format of the user's own: its columns are taken, its format must be the bare instruction."""
    found.columns = {"prompt": str(kind.get("field_instruction", "instruction")), "response": str(kind.get("field_output", "output"))}
    found.system = kind.get("system_prompt") or None
    if str(kind.get("format", "{instruction}")).strip() != "{instruction}":
        miss("datasets[0].type.format", "the base's chat template forms the prompt, in training and in use (F06)")
    for key in sorted(set(kind) - {"field_instruction", "field_output", "system_prompt", "format", "no_input_format"}):
        if kind[key] and not (key == "system_format" and str(kind[key]).strip() == "{system}"):
            miss(f"datasets[0].type.{key}", "a row is a prompt and an answer")


def _pairs(one: Mapping[str, Any], found: Datasets, miss: Miss) -> None:
    kind = one.get("type")
    found.task = "prefer"
    if isinstance(kind, dict):
        names = {"field_prompt": "prompt", "field_chosen": "chosen", "field_rejected": "rejected"}
        found.columns = {ours: str(kind[key]) for key, ours in names.items() if kind.get(key)}
        for key in sorted(set(kind) - set(names)):
            miss(f"datasets[0].type.{key}", "a pair is a prompt, a better and a worse answer; the base's template forms them")
    elif kind in _PAIR_TYPES:
        found.columns = dict(_PAIR_TYPES[kind])
    else:
        miss("datasets[0].type", f"there is no layout for {kind}; give columns prompt, chosen and rejected")


def _rest(one: Mapping[str, Any], miss: Miss) -> None:
    read = {"path", "data_files", "type", "field", "field_messages", "message_property_mappings", "message_field_role"}
    for key, value in one.items():
        if value is None or value is False or key in (*_READING, *read, "message_field_content"):
            continue
        if value in _ROLES.get(key, ()) or (key == "chat_template" and value == "tokenizer_default"):
            continue
        reasons = {"chat_template": "the base's own chat template is used, in training and in use (F06)", "shards": "a file is read whole"}
        miss(f"datasets[0].{key}", reasons.get(key, "rows are trained as they stand: every assistant turn, and its stop token"))
