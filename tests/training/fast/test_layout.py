"""F14: a packed row is alone with itself and with what all rows begin with."""

from __future__ import annotations

import pytest
import torch

from hatrack.models.encoder import pad_right
from hatrack.training.fast import small_attention
from hatrack.training.fast.attention import packed_attention
from hatrack.training.fast.layout import pack, shared_length
from hatrack.training.objectives.causal import Instruct
from tiny_architectures import causal

ROWS = [(5, 6, 7, 8), (5, 6, 9), (5, 6, 7, 1, 2, 3)]


def nothing(rows):
    return torch.zeros(pad_right(rows, 0)[0].shape, dtype=torch.bool)


def test_positions_restart_with_every_row():
    layout = pack(*pad_right(ROWS, 0))
    assert layout.ids.tolist() == [5, 6, 7, 8, 5, 6, 9, 5, 6, 7, 1, 2, 3]
    assert layout.positions.tolist() == [0, 1, 2, 3, 0, 1, 2, 0, 1, 2, 3, 4, 5]


def test_what_is_shared_stands_in_the_line_once():
    layout = pack(*pad_right(ROWS, 0), shared=2)
    assert layout.ids.tolist() == [5, 6, 7, 8, 9, 7, 1, 2, 3]
    assert layout.positions.tolist() == [0, 1, 2, 3, 2, 2, 3, 4, 5]


def test_grid_and_line_are_each_others_way_back():
    layout = pack(*pad_right(ROWS, 0), shared=2)
    line = torch.randn(7, 3)
    grid = layout.grid(line)
    assert grid.shape == (3, 4, 3)
    assert torch.equal(layout.line(grid), line)
    assert not grid[1, 1:].any()


def test_a_line_is_filled_up_with_tokens_of_no_row():
    layout = pack(*pad_right(ROWS, 0), shared=2, multiple=8)
    assert layout.ids.tolist() == [5, 6, 7, 8, 9, 7, 1, 2, 3, *[0] * 7]
    assert layout.spare == 7
    line = torch.randn(14, 3)
    assert torch.equal(layout.grid(line), pack(*pad_right(ROWS, 0), shared=2).grid(line[:7]))
    assert torch.equal(layout.line(layout.grid(line)), torch.cat([line[:7], torch.zeros(7, 3)]))
    assert pack(*pad_right(ROWS, 0), shared=2, multiple=9).spare == 0


@pytest.mark.parametrize("scores", [2**21, 0], ids=["scores held", "long rows"])
def test_no_row_sees_what_fills_the_line_up(scores, monkeypatch):
    monkeypatch.setattr(small_attention, "_SCORES", scores)
    trainee, _ = causal("Llama")
    filled = pack(*pad_right(ROWS, 0), 2, 16)
    plain = hidden(trainee.adapted, pack(*pad_right(ROWS, 0), 2))
    assert torch.allclose(hidden(trainee.adapted, filled), plain, atol=1e-6)
    filled.ids[-filled.spare :] = 77
    assert torch.allclose(hidden(trainee.adapted, filled), plain, atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "wanted", "expected"),
    [
        (ROWS, None, 2),
        (ROWS[:1], None, 0),  # one row shares with nobody
        ([(1, 2, 3), (1, 2, 3)], None, 2),  # every row keeps one token of its own
        ([(1, 2), (1, 2, 3)], None, 1),
        ([(0, 0, 4), (0,)], None, 0),  # padding is nothing in common
        (ROWS, (2, 1), 1),  # an output that is wanted in the shared part would be counted once for all rows
        (ROWS, (0, 0), 0),
    ],
)
def test_how_much_is_shared(rows, wanted, expected):
    outputs = nothing(rows)
    if wanted is not None:
        outputs[wanted] = True
    assert shared_length(*pad_right(rows, 0), outputs) == expected


def hidden(model, layout):
    with packed_attention(model), torch.no_grad():
        out = model.base_model(input_ids=layout.ids[None], position_ids=layout.positions[None], layout=layout, use_cache=False)
    return layout.grid(out.last_hidden_state[0, layout.shared :])


@pytest.mark.parametrize("shared", [0, 2])
def test_F14_a_row_does_not_see_the_others(shared):
    trainee, _ = causal("Llama")
    changed = [ROWS[0], (5, 6, 77), ROWS[2]]
    one, other = (hidden(trainee.adapted, pack(*pad_right(rows, 0), shared)) for rows in (ROWS, changed))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[2], other[2])
    assert not torch.allclose(one[1], other[1])


def test_F14_packed_rows_are_each_row_alone():
    trainee, _ = causal("Llama")
    together = hidden(trainee.adapted, pack(*pad_right(ROWS, 0), 2))
    for i, row in enumerate(ROWS):
        with torch.no_grad():
            alone = trainee.adapted.base_model(input_ids=torch.tensor([row])).last_hidden_state[0, 2:]
        assert torch.allclose(together[i, : len(alone)], alone, atol=1e-5)


def test_the_base_attends_in_its_own_way_afterwards():
    trainee, _ = causal("Llama")
    before = trainee.adapted.config._attn_implementation
    with pytest.raises(RuntimeError), packed_attention(trainee.adapted):
        raise RuntimeError
    assert trainee.adapted.config._attn_implementation == before


def test_labels_at_the_very_beginning_share_nothing():
    _, items = causal("Llama")
    batch = Instruct().collate(items[:3], 0)
    batch["labels"] = batch["input_ids"].clone()
    assert shared_length(batch["input_ids"], batch["attention_mask"], batch["labels"] != -100) == 0
