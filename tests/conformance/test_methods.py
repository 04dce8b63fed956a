"""What every method promises; a new one is tested here by being in the table."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from hatrack.core.errors import AdapterBroken
from hatrack.models.host import ModelHost
from hatrack.models.loading import load_module
from hatrack.training.methods.base import METHODS, Traits, option_model
from hatrack.training.objectives.base import OBJECTIVES
from tiny_training import open_pieces

TASKS = {"causal": "classify-by-text", "encoder": "classify"}

every_method = pytest.mark.parametrize("name", METHODS.names())
every_kind = pytest.mark.parametrize("kind", TASKS)


@pytest.fixture
def project(make_project):
    def make(name, kind, folder="project", **train):
        settings = {"epochs": 4, "patience": 9, **train}
        # the keys that make_project writes are LoRA's; another method starts from its defaults
        known = option_model(name).model_fields
        given = make_project(TASKS[kind], folder=folder, method=name, train=settings)
        text = given.joinpath("hatrack.yaml").read_text()
        lines = [line for line in text.splitlines() if line.strip().split(":")[0] not in {"r", "alpha"} - set(known)]
        given.joinpath("hatrack.yaml").write_text("\n".join(lines) + "\n")
        return given

    return make


@pytest.fixture
def trained(project, monkeypatch):
    """The adapter's folder and the adapted model as it was when training ended."""

    def make(name, kind, **train):
        kept = []
        method = METHODS.get(name)
        export = method.export
        monkeypatch.setattr(method, "export", lambda self, adapted, *rest: kept.append(adapted) or export(self, adapted, *rest))
        pieces = open_pieces(project(name, kind, **train))
        result = pieces.train()
        monkeypatch.setattr(method, "export", export)
        return pieces, result, kept[0]

    return make


@every_method
@every_kind
def test_training_lowers_the_loss_and_leaves_the_base_alone(project, name, kind):
    pieces = open_pieces(project(name, kind))
    method, objective = METHODS.get(name)(), OBJECTIVES.get(pieces.config.task)()
    base = pieces.base()
    parameters = list(base.parameters())
    torch.manual_seed(0)
    adapted, coverage = method.apply(base, method.options(), kind)
    before = [(parameter, parameter.detach().clone()) for parameter in parameters]
    items, _ = pieces.items()
    trainee = objective.trainee(base, adapted, pieces.prepared, pieces.config, items)
    batch = objective.collate(items, 0)
    batch.pop("rows")
    added = [p for p in adapted.parameters() if p.requires_grad]
    assert sum(p.numel() for p in added) == coverage.trained < coverage.total
    optimizer = torch.optim.AdamW(added, lr=method.learning_rate(kind), weight_decay=0.1)
    losses = []
    for _ in range(20):
        loss = trainee.eval()(**batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.98 * losses[0]
    for parameter, kept in before:
        assert not parameter.requires_grad
        assert parameter.grad is None
        assert torch.equal(parameter, kept)


@every_method
@every_kind
def test_what_is_exported_acts_as_what_was_trained(trained, name, kind):
    pieces, result, adapted = trained(name, kind)
    assert {path.suffix for path in result.folder.iterdir()} == {".json", ".safetensors"}
    rows = [item.ids for item in pieces.items()[1]]
    host = ModelHost(pieces.files)
    before = outputs(host.module, rows, kind)
    host.attach("it", result.folder)
    with host.using("it"):
        served = outputs(host.module, rows, kind)
    assert torch.allclose(served, outputs(adapted.eval(), rows, kind), atol=1e-4)
    assert (served - before).abs().max() > 1e-3
    assert torch.equal(outputs(host.module, rows, kind), before), "base is base again"


def outputs(module, rows, kind):
    from hatrack.models.causal import last_logits
    from hatrack.models.encoder import embed, pad_right

    if kind == "causal":
        return last_logits(module, rows).clone()
    with torch.no_grad():
        return embed(module, *pad_right(rows, 0))


@every_method
@every_kind
def test_F11_the_same_seed_writes_the_same_bytes(project, name, kind):
    folders = [open_pieces(project(name, kind, folder, epochs=1)).train().folder for folder in ("one", "two")]
    names = {path.name for path in folders[0].iterdir()} - {"training.json"}  # seconds
    assert names == {path.name for path in folders[1].iterdir()} - {"training.json"}
    for file in names:
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes(), file


@every_method
def test_F18_an_export_that_changes_nothing_is_refused(trained, name):
    from safetensors.torch import save_file

    pieces, result, _ = trained(name, "causal", epochs=1)
    weights = result.folder / "adapter_model.safetensors"
    save_file({key: torch.zeros_like(tensor) for key, tensor in load_file(weights).items()}, weights)
    with pytest.raises(AdapterBroken):
        ModelHost(pieces.files).attach("it", result.folder)


@every_method
@every_kind
def test_the_same_weights_are_the_same_bytes(tmp_path, project, name, kind):
    pieces = open_pieces(project(name, kind))
    method = METHODS.get(name)()
    adapted, _ = method.apply(load_module(pieces.files), method.options(), kind)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        method.export(adapted, tmp_path / folder, "base")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


@every_method
def test_a_method_says_what_it_can_do_and_refuses_foreign_keys(name):
    method = METHODS.get(name)()
    assert method.name == name
    assert isinstance(method.traits, Traits)
    assert method.traits.summary
    assert all(0 < method.learning_rate(kind) < 1 for kind in TASKS)
    with pytest.raises(ValidationError):
        method.options(no_such_key=1)
    assert all(field.description for field in method.options.model_fields.values())
