"""The faults of merging, deltas, other trainers' configs and training on from a parent, for docs/errors.md."""

from __future__ import annotations

import functools
import io
import shutil
from pathlib import Path
from typing import Any

import yaml

import error_cases_data  # noqa: F401  # its cases come first on the page
from conftest import label_rows, make_causal, make_encoder, write_jsonl
from error_place import Place, case, fault
from hatrack.models.merging.exact import Cat
from projects import copy_of, speaking_base, trained_by_text, write_project

__all__: list[str] = []

FORMS: dict[str, dict[str, Any]] = {
    "plain": {"r": 4},
    "wider": {"r": 8},
    "turned": {"method": "dora", "r": 4},
    "biases": {"method": "bitfit"},
    "tuned": {"method": "last-n", "n": 1},
}
AXOLOTL = {"base_model": "MODEL", "adapter": "lora", "datasets": [{"path": "data.jsonl", "type": "alpaca"}], "val_set_size": 0.1}


@functools.cache
def _trained(base: Path) -> Path:
    """Adapters of several forms on one causal base, a few steps each."""
    from rich.console import Console

    from hatrack.workflows.adapt import Workbench

    root = base.parent / "project-forms"
    write_jsonl(root / "data.jsonl", label_rows(24, ("one", "two")))
    train = {"epochs": 1, "batch_size": 8, "max_length": 64, "learning_rate": 0.01}
    adapters = {name: {"data": "data.jsonl", "task": "classify-by-text", "train": train, **more} for name, more in FORMS.items()}
    write_project(root, speaking_base(base), adapters)
    bench = Workbench.open(root, Console(file=io.StringIO()))
    for name in FORMS:
        bench.train(name, bench.prepare(name))
    return root


def _forms(at: Place) -> Path:
    at.root = copy_of(_trained(at.causal), at.tmp)
    return at.root


def _weights(at: Place, name: str) -> Path:
    """Copied, since the folder of a run has a name of its own on every machine."""
    file = next(_forms(at).glob(f".hatrack/runs/{name}-*/adapter/adapter_model.safetensors"))
    return Path(shutil.copyfile(file, at.tmp / f"{name}.safetensors"))


def _colours(at: Place) -> Path:
    at.root = copy_of(trained_by_text(at.causal), at.tmp)
    return at.root


def _other_base(at: Place) -> None:
    path = at.root / "hatrack.yaml"
    other = make_causal(at.tmp / "other", seed=3)
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "base": str(other)}))


def _child(at: Place, like: str, parent: str) -> None:
    """``child`` has the settings of ``like`` and is to train on from ``parent``."""
    path = at.root / "hatrack.yaml"
    config = yaml.safe_load(path.read_text())
    config["adapters"]["child"] = {**config["adapters"][like], "parent": parent}
    path.write_text(yaml.safe_dump(config))


def _tuned(at: Place) -> Path:
    """A model beside the encoder, as if fully tuned elsewhere."""
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(at.encoder, at.tmp / "tuned"))
    tensors = {name: tensor + 1e-3 for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _delta(at: Place) -> Path:
    from hatrack.models.loading import open_base
    from hatrack.registry.delta import make_delta

    make_delta(open_base(str(at.encoder)), _tuned(at), at.tmp / "d.safetensors")
    return at.tmp / "d.safetensors"


def _axolotl(at: Place, **keys: Any) -> str:
    at.root = at.tmp / "project"
    at.root.mkdir()
    given = {**AXOLOTL, "base_model": str(at.causal), **keys}
    (at.tmp / "config.yml").write_text(yaml.safe_dump({key: value for key, value in given.items() if value is not None}))
    return f"train --axolotl {at.tmp / 'config.yml'}"


# merging
fault("merge: an unknown way", "merge both plain wider --method tie", _forms, "there is no merger called 'tie'", "did you mean ties?")
fault("merge: a weight that is no number", "merge both plain=much wider", _forms, "plain=much", "NAME@VERSION=0.5")
fault(
    "merge: a request that makes no sense",
    "merge ../x plain plain --rank 3",
    _forms,
    "'../x'",
    "name each adapter once",
    "cat takes no --rank",
)
fault("merge: an unknown version", "merge both plain@2.0.0 wider", _forms, "'2.0.0'", "1.0.0, latest")
fault("merge: classifiers on an encoder", "merge both words", lambda at: at.trained(), "class vectors", "generates text")
fault("merge: DoRA", "merge both plain turned", _forms, "use_dora", "rank-stabilised LoRA")
fault("merge: no LoRA at all", "merge both plain biases", _forms, "peft_type: 'DELTA'", "LoRA")
fault("merge: ranks that differ", "merge both plain wider --method linear", _forms, "ranks 4, 8", "--method cat or svd")
fault("merge: another system prompt", "merge both colours shy", _colours, "shy@1.0.0 has another system prompt", "none")


@case("merge: another base (F19)", "has another base model", "DIGEST")
def _(at: Place) -> str:
    _forms(at)
    _other_base(at)
    return "merge both plain wider"


@case("merge: arithmetic that does not give an adapter back (F21)", "does not give itself back", "leave it out")
def _(at: Place) -> str:
    _forms(at)
    real = Cat.layer
    at.patch.setattr(Cat, "layer", lambda self, parts, weights, *rest: real(self, parts, [w / 2 for w in weights], *rest))
    return "merge both plain wider"


# deltas
fault("delta: no folder", "delta make MODEL d.safetensors", lambda at: at.project(), "needs the folder", "delta verify BASE", inside=False)


@case("delta: a folder without weights", "TMP/empty", "*.safetensors", inside=False)
def _(at: Place) -> str:
    (at.tmp / "empty").mkdir()
    return f"delta make MODEL {at.tmp / 'd.safetensors'} {at.tmp / 'empty'}"


@case("delta: torn weights", "no whole safetensors file", "cut short", inside=False)
def _(at: Place) -> str:
    weights = _tuned(at) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    return f"delta make MODEL {at.tmp / 'd.safetensors'} {at.tmp / 'tuned'}"


@case("delta: an energy that is no share", "--rank-energy 99", "above 0 and below 1", inside=False)
def _(at: Place) -> str:
    return f"delta make MODEL {at.tmp / 'd.safetensors'} {_tuned(at)} --rank-energy 99"


@case("delta: another base (F19)", "belongs to another base", "the base it was made from", inside=False)
def _(at: Place) -> str:
    other = make_encoder(at.tmp / "other", seed=3)
    return f"delta apply {other} {_delta(at)} {at.tmp / 'again'}"


@case("delta: a damaged file", "cannot be used as a delta", "hatrack delta make", inside=False)
def _(at: Place) -> str:
    path = _delta(at)
    path.write_bytes(path.read_bytes()[:-100])
    return f"delta verify MODEL {path}"


fault("delta: a file that is none", "delta verify MODEL MODEL/model.safetensors", lambda at: at.project(), "as a delta", inside=False)


@case("delta: a tuned adapter on another base (F19)", "does not give the tuned weights back", "use that base", inside=False)
def _(at: Place) -> str:
    other = make_causal(at.tmp / "other", seed=3)
    return f"delta verify {other} {_weights(at, 'tuned')}"


@case("delta: an adapter that adds parameters", "no place in a model", "full, last-n", inside=False)
def _(at: Place) -> str:
    weights, at.causal = _weights(at, "biases"), speaking_base(at.causal)
    return f"delta apply {at.causal} {weights} {at.tmp / 'again'}"


fault("shrink: not a tuned version", "shrink plain", _forms, "plain@1.0.0 cannot be made smaller", "method: lora", "full or last-n")
fault("shrink: an energy that is no share", "shrink plain --rank-energy 1", _forms, "--rank-energy 1", "below 1")

# another trainer's config
fault("axolotl: the file is missing", "train --axolotl PROJECT/none.yml", lambda at: at.project(), "PROJECT/none.yml")


@case("axolotl: not YAML", "not valid YAML", "line 2", "correct that line")
def _(at: Place) -> str:
    command = _axolotl(at)
    (at.tmp / "config.yml").write_text("base_model: [x\n")
    return command


case("axolotl: no base_model", "no key base_model", "axolotl train")(lambda at: _axolotl(at, base_model=None))
case("axolotl: an unknown key", "lora_rank", "lora_r", "--accept")(lambda at: _axolotl(at, lora_rank=8))
case("axolotl: keys that would train another model", "keys of config.yml", "neftune_noise_alpha", "lora_modules_to_save", "--accept")(
    lambda at: _axolotl(at, neftune_noise_alpha=5, lora_modules_to_save=["lm_head"])
)


@case("axolotl: another hatrack.yaml is there", "says something else", "PROJECT/hatrack.yaml", "--project")
def _(at: Place) -> str:
    command = _axolotl(at)
    write_project(at.root, at.causal, {"first": {"data": "data.jsonl", "task": "instruct"}})
    return command


# training on from a parent
fault("parent: an unknown version", "train child", lambda at: _forms(at) and _child(at, "plain", "plain@3.0.0"), "'3.0.0'", "1.0.0, latest")
fault(
    "parent: another method or options",
    "train child",
    lambda at: _forms(at) and _child(at, "plain", "wider@1.0.0"),
    "the parent wider@1.0.0 was trained in another way",
    "r: 4",
    "r: 8",
)
fault(
    "parent: a method that cannot train on",
    "train child",
    lambda at: _forms(at) and _child(at, "biases", "biases@1.0.0"),
    "cannot train on from a parent",
    "bitfit",
)


@case("parent: another base (F19)", "the parent plain@1.0.0 belongs to another base model", "train the parent again")
def _(at: Place) -> str:
    _forms(at)
    _child(at, "plain", "plain@1.0.0")
    _other_base(at)
    return "train child"


@case("parent: a classifier on an encoder", "cannot train on from a parent", "leave `parent` out")
def _(at: Place) -> str:
    at.trained()
    _child(at, "words", "words@1.0.0")
    return "train child"


@case("a tracker that is not installed", "report_to: wandb", 'pip install "hatrack[trackers]"')
def _(at: Place) -> str:
    import sys

    at.patch.setitem(sys.modules, "wandb", None)
    at.project(train={"report_to": ["wandb"]})
    return "train"
