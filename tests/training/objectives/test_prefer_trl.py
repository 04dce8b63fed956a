"""The three preference losses are TRL's, on the same model, the same reference and the same batch."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from conftest import make_causal
from hatrack.core.chat import Message
from hatrack.core.config import Preference
from hatrack.models.loading import load_module, open_base
from hatrack.models.render import ChatRenderer, Rendered
from hatrack.training.objectives.base import IGNORED
from hatrack.training.objectives.prefer.losses import Likelihoods, orpo_loss
from hatrack.training.objectives.prefer.objective import Pair, Prefer, PreferTrainee

trl = pytest.importorskip("trl")
PAIRS = [("red river", "it is red", "one two three"), ("a green stone", "green", "blue blue"), ("the lamp", "a chair is blue", "four")]


@pytest.fixture(scope="module")
def sides(tiny_causal, tmp_path_factory):
    """A policy and another model as its reference."""
    files = [open_base(str(tiny_causal)), open_base(str(make_causal(tmp_path_factory.mktemp("other") / "model", seed=9)))]
    renderer = ChatRenderer(files[0].tokenizer, files[0].stop_ids)
    return SimpleNamespace(policy=load_module(files[0]), reference=load_module(files[1]), renderer=renderer, tokenizer=files[0].tokenizer)


def ours(sides, loss, beta):
    """The summed loss of our trainee, and the rows it saw."""
    pairs = [sides.renderer.pair((Message("user", ask), Message("assistant", good)), bad) for ask, good, bad in PAIRS]
    texts = [(*pair, pairs[i - 1][0].behind(pair[0].prompt)) if loss == "kto" else pair for i, pair in enumerate(pairs)]
    rows = [Pair(i, one[0].ids, (0,), one) for i, one in enumerate(texts)]
    settings = Preference(loss=loss, beta=beta)
    rows = PreferTrainee(sides.reference, sides.reference, rows[0].ids, settings, from_base=True).begin(rows)
    batch = Prefer().collate(rows, sides.tokenizer.pad_token_id)
    batch.pop("rows")
    with torch.no_grad():
        return float(PreferTrainee(sides.policy, sides.policy, rows[0].ids, settings, from_base=True)(**batch)), batch


def swapped(sides):
    return SimpleNamespace(**{**vars(sides), "policy": sides.reference, "reference": sides.policy})


def trainer(kind, config, sides, tmp_path, **columns):
    from datasets import Dataset

    args = config(output_dir=str(tmp_path), report_to=[], use_cpu=True, bf16=False, disable_tqdm=True, **columns.pop("settings"))
    data = Dataset.from_dict({key: values * 4 for key, values in columns.items()})
    extra = {} if kind.__name__ == "ORPOTrainer" else {"ref_model": sides.reference}
    built = kind(model=sides.policy, args=args, train_dataset=data, processing_class=sides.tokenizer, **extra)
    built.model.eval()
    return built


@pytest.mark.parametrize("beta", [0.1, 2.0])
def test_dpo_is_trls(sides, tmp_path, beta):
    total, batch = ours(sides, "dpo", beta)
    theirs = trainer(trl.DPOTrainer, trl.DPOConfig, sides, tmp_path, prompt=["a"], chosen=["b"], rejected=["c"], settings={"beta": beta})
    inputs = {
        "input_ids": batch["input_ids"],
        "attention_mask": batch["attention_mask"],
        "completion_mask": (batch["targets"] != IGNORED).long(),
    }
    with torch.no_grad():
        mean = float(theirs.compute_loss(theirs.model, inputs))
    assert abs(mean - 0.6931) > 0.01, "the two sides are the same; nothing is compared"
    assert total / len(PAIRS) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("gains", [False, True])
def test_kto_is_trls_with_each_pair_as_two_rows(sides, tmp_path, gains):
    # one way round the policy gains over the reference on foreign answers, the other way the reference point is cut at 0
    beta, sides = 0.05, swapped(sides) if gains else sides
    total, batch = ours(sides, "kto", beta)
    theirs = trainer(
        trl.KTOTrainer, trl.KTOConfig, sides, tmp_path, prompt=["a", "d"], completion=["b", "c"], label=[True, False],
        settings={"beta": beta, "per_device_train_batch_size": 2},
    )  # fmt: skip
    n = len(PAIRS)
    parts = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    parts["completion_mask"] = (batch["targets"] != IGNORED).long()
    inputs = {key: value[: 2 * n] for key, value in parts.items()}
    inputs |= {f"KL_{key}": value[2 * n :].repeat(2, 1) for key, value in parts.items()}
    inputs["label"] = torch.tensor([True] * n + [False] * n)
    with torch.no_grad():
        mean = float(theirs.compute_loss(theirs.model, inputs))
    assert (theirs._metrics["eval"]["kl"][-1] > 0) is gains
    assert total / n == pytest.approx(mean, rel=1e-5)


def test_orpo_is_trls_where_the_prompt_is_one_token(sides, tmp_path):
    # TRL's loss of the chosen answer is over the prompt too: with one token of prompt there is nothing to add
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    beta, prompt = 0.7, (5,)
    answers = [(sides.renderer.answer_ids(good), sides.renderer.answer_ids(bad)) for _, good, bad in PAIRS]
    width = min(len(good) for good, _ in answers)  # a mean over tokens is a mean of means where all are equally long
    pairs = [tuple(Rendered((*prompt, *a[:width]), (False, *(True for _ in a[:width]))) for a in both) for both in answers]
    settings = Preference(loss="orpo", beta=beta)
    rows = [Pair(i, good.ids, (0,), (good, bad)) for i, (good, bad) in enumerate(pairs)]
    batch = Prefer().collate(rows, 0)
    batch.pop("rows")
    with torch.no_grad():
        total = float(PreferTrainee(sides.policy, sides.policy, rows[0].ids, settings, from_base=True)(**batch))
    n = len(rows)
    theirs = trainer(
        ORPOTrainer, ORPOConfig, sides, tmp_path, prompt=["a"], chosen=["b"], rejected=["c"],
        settings={"beta": beta, "max_length": 64, "max_completion_length": 32, "remove_unused_columns": False},
    )  # fmt: skip
    inputs = {}
    for name, part in (("chosen", slice(0, n)), ("rejected", slice(n, 2 * n))):
        inputs[f"{name}_input_ids"] = batch["input_ids"][part]
        inputs[f"{name}_attention_mask"] = batch["attention_mask"][part]
        inputs[f"{name}_labels"] = batch["targets"][part]
    with torch.no_grad():
        mean = float(theirs.get_batch_loss_metrics(theirs.model, inputs)[0])
    assert total / n == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("beta", [0.1, 1.0])
def test_the_odds_ratio_of_orpo_is_trls_for_any_probabilities(beta):
    from trl.experimental.orpo import ORPOTrainer

    generator = torch.Generator().manual_seed(0)
    chosen, rejected = (-torch.rand(64, generator=generator).pow(4) * 12 - 1e-6 for _ in range(2))
    stand_in = SimpleNamespace(beta=beta, accelerator=SimpleNamespace(device="cpu"))
    theirs = ORPOTrainer.odds_ratio_loss(stand_in, chosen, rejected)[0]
    tokens = torch.full((64,), 7.0)
    mine = orpo_loss(Likelihoods(chosen * 7, rejected * 7), tokens, tokens, beta) + chosen
    assert torch.allclose(mine, -theirs, rtol=1e-3, atol=1e-5)
