"""What every method promises, on every kind of base it is for; a new one is tested here by being in the table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from conftest import label_rows, make_causal, make_encoder, write_jsonl
from hatrack.core.errors import AdapterBroken, TargetsNotFound, TrainingError
from hatrack.models.adapters.folder import read_card
from hatrack.models.adapters.switch import Switch
from hatrack.models.host import ModelHost
from hatrack.models.loading import load_module
from hatrack.models.quantised import quantise
from hatrack.training.methods.base import METHODS, Traits, option_model
from hatrack.training.objectives.base import OBJECTIVES
from hatrack.training.progress import LiveBar
from hatrack.training.proof import outputs
from tiny_training import Pieces, open_pieces

TASKS = {"causal": "classify-by-text", "encoder": "classify"}
PAIRS = [(name, kind) for name in METHODS.names() for kind in TASKS if kind in METHODS.get(name).traits.kinds]

every_method = pytest.mark.parametrize("name", METHODS.names())
every_pair = pytest.mark.parametrize(("name", "kind"), PAIRS)


@pytest.fixture(scope="module", autouse=True)
def _a_hundred_trainings_are_quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hatrack.training.run.draw_curves", lambda *arguments: None)
        yield


@dataclass
class Trained:
    """A finished adapter and what the model answered when training ended."""

    pieces: Pieces
    folder: Path
    rows: list[tuple[int, ...]]
    answers: torch.Tensor


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Bases whose layers can be held in 4 bits."""
    folder = tmp_path_factory.mktemp("wide")
    return {"causal": make_causal(folder / "wide-llama", width=64), "encoder": make_encoder(folder / "wide-bert", width=64)}


@pytest.fixture(scope="module")
def make_pieces(tmp_path_factory, bases):
    """``make_pieces(name, kind, seed)``: a run's inputs, in a folder of its own, with the method's own options."""

    def make(name, kind, seed=1):
        root = tmp_path_factory.mktemp("methods")
        write_jsonl(root / "data.jsonl", label_rows(30))
        adapter = {"data": "data.jsonl", "task": TASKS[kind], "method": name}
        adapter["train"] = {"epochs": 3, "batch_size": 8, "max_length": 64, "patience": 9, "seed": seed}
        (root / "hatrack.yaml").write_text(yaml.safe_dump({"base": str(bases[kind]), "adapters": {"first": adapter}}))
        return open_pieces(root)

    return make


@pytest.fixture(scope="module")
def train(make_pieces):
    """``train(name, kind)``: trained once for all tests."""
    kept: dict[tuple[str, str], Trained] = {}

    def run(name, kind):
        if (name, kind) not in kept:
            pieces, method = make_pieces(name, kind), METHODS.get(name)
            rows, answers, export = [item.ids for item in pieces.items()[1]], [], method.export

            def keep(self, adapted, *rest):
                answers.append(outputs(adapted.eval(), rows, kind))
                return export(self, adapted, *rest)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(method, "export", keep)
                folder = pieces.train().folder
            kept[name, kind] = Trained(pieces, folder, rows, answers[0])
        return kept[name, kind]

    return run


def batch_loss(pieces: Pieces, base: Any, adapted: Any) -> Any:
    """The loss on a fixed batch, as a function of nothing."""
    objective = OBJECTIVES.get(pieces.config.task)()
    items = pieces.items()[0][:12]
    trainee = objective.trainee(base, adapted, pieces.prepared, pieces.config, items).eval()
    batch = objective.collate(items, 0)
    batch.pop("rows")
    return lambda: trainee(**batch)


def descend(pieces: Pieces, base: Any, adapted: Any, rate: float, steps: int = 40) -> tuple[float, float]:
    """First and last loss of some steps of AdamW on one batch."""
    loss = batch_loss(pieces, base, adapted)
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=rate, weight_decay=0.1)
    losses = []
    for _ in range(steps):
        value = loss()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses[0], losses[-1]


@every_pair
def test_training_lowers_the_loss_and_leaves_the_base_alone(make_pieces, name, kind):
    pieces, method = make_pieces(name, kind), METHODS.get(name)()
    base = pieces.base()
    torch.manual_seed(0)
    adapted, coverage = method.apply(base, method.options(), kind)
    held = [(p, p.detach().clone()) for p in adapted.parameters() if not p.requires_grad]
    assert sum(p.numel() for p in adapted.parameters() if p.requires_grad) == coverage.trained < coverage.total
    assert coverage.targets
    first, last = descend(pieces, base, adapted, method.learning_rate(kind))
    assert last < 0.98 * first
    for parameter, kept in held:
        assert parameter.grad is None
        assert torch.equal(parameter, kept)


@every_pair
def test_F21_what_is_exported_acts_as_what_was_trained_and_the_base_stays_the_base(train, name, kind):
    done = train(name, kind)
    assert {path.suffix for path in done.folder.iterdir()} == {".json", ".safetensors"}
    traits = METHODS.get(name).traits
    assert read_card(done.folder).trained_on == traits.trained_on
    host = ModelHost(done.pieces.files)
    modules, before = dict(host.module.named_modules()), outputs(host.module, done.rows, kind)
    adapter = host.attach("it", done.folder)
    with host.using("it"):
        served = outputs(host.module, done.rows, kind)
    if traits.trained_on == "full-precision":
        assert torch.allclose(served, done.answers, atol=1e-4)
    assert (served - before).abs().max() > 5e-5
    assert adapter.nbytes > 0
    assert torch.equal(outputs(host.module, done.rows, kind), before), "base is base while it is resident (F33)"
    host.detach("it")
    assert torch.equal(outputs(host.module, done.rows, kind), before)
    assert dict(host.module.named_modules()) == modules, "the very modules that were there"
    assert not any(isinstance(m, Switch) for m in host.module.inner.modules())


@every_pair
def test_F11_the_same_seed_writes_the_same_bytes_and_another_seed_others(train, make_pieces, name, kind):
    first, same, other = train(name, kind).folder, make_pieces(name, kind).train().folder, make_pieces(name, kind, 2).train().folder
    names = {path.name for path in first.iterdir()} - {"training.json"}  # seconds
    assert names == {path.name for path in same.iterdir()} - {"training.json"}
    for file in names:
        assert (first / file).read_bytes() == (same / file).read_bytes(), file
    weights = "adapter_model.safetensors"
    assert (first / weights).read_bytes() != (other / weights).read_bytes()


@every_pair
def test_F12_a_run_that_was_stopped_and_goes_on_writes_the_same_bytes(train, make_pieces, monkeypatch, name, kind):
    whole, torn = train(name, kind).folder, make_pieces(name, kind)
    steps = []

    def on_step_end(self, args, state, control, **kwargs):
        steps.append(state.global_step)
        if len(steps) == 5:  # between the checkpoints of the first and the second epoch
            raise KeyboardInterrupt

    monkeypatch.setattr(LiveBar, "on_step_end", on_step_end)
    with pytest.raises(KeyboardInterrupt):
        torn.train()
    folder = torn.train().folder
    assert steps == [1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9]
    for file in {path.name for path in whole.iterdir()} - {"training.json"}:  # seconds
        assert (whole / file).read_bytes() == (folder / file).read_bytes(), file


@every_pair
def test_F18_weights_that_are_not_those_of_training_are_refused(train, tmp_path, name, kind):
    import shutil

    done = train(name, kind)
    folder = Path(shutil.copytree(done.folder, tmp_path / "copy"))
    weights = folder / "adapter_model.safetensors"
    host = ModelHost(done.pieces.files)
    before = outputs(host.module, done.rows, kind)
    for spoil in (torch.zeros_like, lambda tensor: tensor * -5, lambda tensor: tensor[..., :1]):
        save_file({key: spoil(tensor).contiguous() for key, tensor in load_file(done.folder / weights.name).items()}, weights)
        with pytest.raises(AdapterBroken):
            host.attach("it", folder)
    assert not host.adapters
    assert torch.equal(outputs(host.module, done.rows, kind), before)


@every_pair
def test_the_same_weights_are_the_same_bytes(tmp_path, make_pieces, name, kind):
    method = METHODS.get(name)()
    adapted, _ = method.apply(load_module(make_pieces(name, kind).files), method.options(), kind)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        method.export(adapted, tmp_path / folder, "base")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["adapter_config.json", "adapter_model.safetensors"]
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


@every_pair
def test_a_layout_without_values_has_the_same_parameters(make_pieces, name, kind):
    method, pieces = METHODS.get(name)(), make_pieces(name, kind)
    base = load_module(pieces.files)
    with torch.device("meta"):
        empty = type(base)(base.config)
    _, expected = method.apply(base, method.options(), kind)
    _, found = method.apply(empty, method.options(), kind)
    assert (found.trained, found.targets) == (expected.trained, expected.targets)


@pytest.mark.parametrize(("name", "kind"), [pair for pair in PAIRS if METHODS.get(pair[0]).traits.four_bit])
def test_a_method_that_says_so_learns_on_a_4_bit_base(make_pieces, name, kind):
    pieces, method = make_pieces(name, kind), METHODS.get(name)()
    base = pieces.base()
    if method.traits.trained_on == "full-precision":
        quantise(base)
    torch.manual_seed(0)
    adapted, _ = method.apply(base, method.options(), kind)
    first, last = descend(pieces, base, adapted, method.learning_rate(kind))
    assert last < 0.98 * first


@every_pair
def test_F10_what_the_base_does_not_have_is_refused(make_pieces, name, kind):
    method = METHODS.get(name)()
    base = load_module(make_pieces(name, kind).files)
    wrong = {"target_modules": ("q_porj",), "last_layers": 99, "n": 99}
    for key in wrong.keys() & method.options.model_fields.keys():
        with pytest.raises(TargetsNotFound):
            method.apply(base, method.options(**{key: wrong[key]}), kind)


@every_method
def test_a_method_says_what_it_can_do_and_refuses_foreign_keys(name):
    method = METHODS.get(name)()
    assert method.name == name
    assert isinstance(method.traits, Traits)
    assert method.traits.summary
    assert method.traits.when
    assert all(0 < method.learning_rate(kind) < 1 for kind in method.traits.kinds)
    with pytest.raises(ValidationError):
        method.options(no_such_key=1)
    assert all(field.description for field in method.options.model_fields.values())
    assert option_model(name) is method.options


@pytest.mark.parametrize(("name", "kind"), sorted({(n, k) for n in METHODS.names() for k in TASKS} - set(PAIRS)))
def test_a_kind_of_base_it_is_not_for_is_refused_before_anything_is_loaded(make_pieces, monkeypatch, name, kind):
    pieces = make_pieces(name, kind)
    monkeypatch.setattr("hatrack.training.fit.load_module", None)
    with pytest.raises(TrainingError, match="makes no sense on an encoder") as refused:
        pieces.train()
    assert "lora" in refused.value.allowed
