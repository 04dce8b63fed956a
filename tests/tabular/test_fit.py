"""From rows to a model: kinds, splits, thresholds, and every kind of bad input: refused, or recorded, and nothing lost."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import roc_auc_score

from hatrack.core.errors import CheckFailed, ConfigError, DataError
from hatrack.tabular.fitting.encode import fit_encoding
from hatrack.tabular.fitting.fit import fit_table, prepare_table
from hatrack.tabular.fitting.folds import folds_of
from hatrack.tabular.fitting.threshold import cheapest
from hatrack.tabular.model import TableModel
from made_tables import as_table, fast, loan_rows


def fit(rows=None, **keys):
    ground = prepare_table(as_table(rows or loan_rows()), fast(**keys))
    return ground, fit_table(ground).model


@pytest.fixture(scope="module")
def fitted():
    return fit()


def changed(column, place_to_cell, count=300):
    rows = loan_rows(count)
    for place, cell in place_to_cell.items():
        rows[place][column] = cell
    return rows


def test_kinds_are_guessed_and_ids_are_set_aside(fitted):
    ground, _ = fitted
    assert ground.kinds == {"amount": "number", "income": "number", "purpose": "category", "since": "date", "sex": "category"}
    assert "id" in ground.aside["loan_id"]
    assert ground.target.classes[1] == min(("no", "yes"), key=[row["late"] for row in loan_rows()].count)


def test_it_tells_late_payers(fitted):
    ground, model = fitted
    assert roc_auc_score(ground.truth(ground.test), model.predict(ground.test).probabilities[:, 1]) > 0.8


def test_no_row_is_lost_and_none_is_in_two_parts(fitted):
    ground, _ = fitted
    numbers = [*ground.train.numbers, *ground.test.numbers]
    assert sorted(numbers) == list(range(1, 301))


def test_the_same_seed_gives_the_same_model(fitted):
    _, model = fitted
    assert np.array_equal(fit()[1].scorer.weights, model.scorer.weights)


def test_a_stored_model_answers_the_same(fitted, tmp_path):
    ground, model = fitted
    model.save(tmp_path)
    again = TableModel.load(tmp_path)
    assert again.card == model.card
    assert np.array_equal(again.predict(ground.test).probabilities, model.predict(ground.test).probabilities)


def test_costs_move_the_threshold():
    even, costly = fit()[1], fit(costs={"yes": {"no": 10}, "no": {"yes": 1}})[1]
    assert costly.card.decision.threshold < even.card.decision.threshold / 2


def test_the_threshold_is_the_cheapest_of_all():
    rng = np.random.default_rng(0)
    positive, costs = rng.random(200).round(2), ((0.0, 1.0), (5.0, 0.0))
    target = (rng.random(200) < positive).astype(np.int64)

    def cost(threshold):
        chosen = (positive >= threshold).astype(int)
        return np.array(costs)[target, chosen].sum()

    best = cheapest(positive, target, costs)
    assert cost(best) == min(cost(t) for t in np.linspace(0, 1.01, 500))


@pytest.mark.parametrize("kind", ["sigmoid", "isotonic", "none"])
def test_calibrated_probabilities_are_as_often_right_as_they_say(kind):
    ground, model = fit(loan_rows(1500), calibration=kind)
    probabilities = model.predict(ground.test).probabilities[:, 1]
    truth = ground.truth(ground.test)
    assert abs(probabilities.mean() - truth.mean()) < 0.06
    assert model.card.calibration.kind == kind


def test_regression_predicts_a_value():
    rows = [{**row, "target": 3 * row["amount"] + 5} for row in loan_rows()]
    ground, model = fit(rows, target="target", ignore=("late",), allow_leaks=("amount",))
    assert ground.target.task == "regression"
    assert np.corrcoef(model.predict(ground.test).margins[:, 0], ground.truth(ground.test))[0, 1] > 0.99


def test_three_classes_and_costs_of_each_error():
    rows = [{**row, "late": row["late"] if row["amount"] < 6000 else "lost"} for row in loan_rows(400)]
    ground, model = fit(rows, costs={"lost": {"no": 50, "yes": 50}}, allow_leaks=("amount",))
    assert ground.target.classes == ("lost", "no", "yes")
    answers = model.predict(ground.test)
    assert np.allclose(answers.probabilities.sum(axis=1), 1)
    missed = (ground.truth(ground.test) == 0) & (answers.chosen != 0)
    assert missed.sum() <= 1  # a lost loan that is missed costs fifty, so nearly none is


def test_time_splits_never_train_on_what_comes_later():
    ground = prepare_table(as_table(loan_rows()), fast(split={"by": "time", "column": "since", "folds": 3}))
    assert max(ground.train.columns["since"]) < min(ground.test.columns["since"])
    assert "since" in ground.aside
    times = np.array(ground.train.columns["since"], "datetime64[D]")
    for train, held in folds_of(ground.train, ground.truth(ground.train), ground.config, classes=2):
        assert times[train].max() <= times[held].min()


def test_groups_are_never_divided():
    rows = [{**row, "branch": f"b{number % 12}"} for number, row in enumerate(loan_rows())]
    ground = prepare_table(as_table(rows), fast(split={"by": "group", "column": "branch", "folds": 3}))
    branches = np.array(ground.train.columns["branch"])
    assert not set(branches) & set(ground.test.columns["branch"])
    for train, held in folds_of(ground.train, ground.truth(ground.train), ground.config, classes=2):
        assert not set(branches[train]) & set(branches[held])


def test_texts_are_weighed_as_scikit_learn_weighs_them():
    texts = [f"please {word} the payment {number % 7}" for number, word in enumerate(["block", "delay", "send", "stop"] * 10)]
    table = as_table([{"text": text} for text in texts])
    column = fit_encoding(table, {"text": "text"}, np.tile([0.0, 1.0], 20), classes=2).columns[0]
    theirs = TfidfVectorizer(vocabulary=list(column.words)).fit(texts).transform(texts).toarray()
    assert {"block", "delay", "send", "stop"} <= set(column.words)
    assert np.allclose(column.encode(texts), theirs)


# bad input


def test_an_unseen_category_is_used_and_noted(fitted):
    _, model = fitted
    row = {**loan_rows()[0], "purpose": "rocket"}
    found = model.predict(model.table([row]))
    assert [(note.row, note.column) for note in found.notes] == [(1, "purpose")]
    assert "rocket" in found.notes[0].note


def test_a_missing_column_is_named_with_the_one_that_was_meant(fitted):
    _, model = fitted
    row = {("amuont" if key == "amount" else key): value for key, value in loan_rows()[0].items()}
    with pytest.raises(DataError) as refused:
        model.predict(model.table([row]))
    assert "is amuont meant to be amount?" in str(refused.value)


@pytest.mark.parametrize("cell", ["much", float("inf"), "inf", [1], {"a": 1}])
def test_a_cell_of_the_wrong_type_is_named_by_row_and_column(fitted, cell):
    _, model = fitted
    with pytest.raises(DataError) as refused:
        model.predict(model.table([loan_rows()[0], {**loan_rows()[1], "amount": cell}, {**loan_rows()[2], "since": "yesterday"}]))
    assert [(fault.row, fault.column) for fault in refused.value.faults] == [(2, "amount"), (3, "since")]


def test_infinite_numbers_in_training_count_as_missing_and_are_noted():
    ground, _ = fit(changed("amount", {3: "inf", 7: float("-inf")}))
    assert any("2 infinite values count as missing (row 4, 8)" in note for note in ground.notes)
    assert len(ground.train) + len(ground.test) == 300


def test_a_column_that_is_empty_everywhere_is_set_aside():
    ground, _ = fit([{**row, "income": None} for row in loan_rows()])
    assert ground.aside["income"] == "empty in every row"


def test_a_column_of_numbers_with_a_few_words_is_refused():
    with pytest.raises(DataError) as refused:
        fit(changed("amount", {4: "a lot"}))
    assert "row 5: a lot" in str(refused.value)
    assert "columns: {amount: category}" in str(refused.value)


def test_a_single_class_is_refused():
    with pytest.raises(CheckFailed, match="single class"):
        fit([{**row, "late": "no"} for row in loan_rows()])


@pytest.mark.parametrize("count", [1, 12])
def test_too_few_rows_are_refused(count):
    with pytest.raises(CheckFailed, match="too few rows"):
        fit(loan_rows(count))


def test_a_leak_is_refused_with_what_it_reaches_alone_and_can_be_allowed():
    rows = [{**row, "reminder_sent": int(row["late"] == "yes")} for row in loan_rows()]
    with pytest.raises(CheckFailed) as refused:
        fit(rows)
    assert "reminder_sent: AUC 1.000 alone" in str(refused.value)
    ground, _ = fit(rows, allow_leaks=("reminder_sent",))
    assert "reminder_sent" in ground.kinds
    ground, _ = fit(rows, ignore=("reminder_sent",))
    assert "reminder_sent" not in ground.kinds


def test_rows_without_a_target_are_left_out_and_counted():
    ground, _ = fit(changed("late", {0: "", 5: None}))
    assert "2 rows without a target are left out" in ground.notes


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"target": "lat"}, "did you mean late?"),
        ({"ignore": ("amuont",)}, "did you mean amount?"),
        ({"positive": "yess"}, "did you mean yes?"),
        ({"costs": {"yes": {"noo": 1}}}, "did you mean no?"),
        ({"model": "forrest"}, "did you mean forest?"),
        ({"metric": "rmse"}, "does not fit the target"),
        ({"monotone": {"amount": 1}}, "cannot be held monotone"),
        ({"monotone": {"purpose": 1}, "model": "forest"}, "purpose: category"),
        ({"features": ({"name": "x", "make": "log", "of": "late"},)}, "made of the target"),
        ({"options": {"max_itr": 1}}, "did you mean max_iter?"),
    ],
)
def test_settings_that_do_not_fit_the_file_are_refused(keys, words):
    with pytest.raises((ConfigError, CheckFailed)) as refused:
        fit(**keys)
    assert words in str(refused.value)
