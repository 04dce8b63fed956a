"""The records of the quickstart: real, many enough, fairly chosen, and no question leaks into the data."""

from __future__ import annotations

from collections import Counter

import pytest

from hatrack.core.config_file import read_config
from hatrack.core.errors import MissingExtra
from hatrack.data.prepare import prepare
from hatrack.workflows import quickstart, quickstart_data
from hatrack.workflows.quickstart import write_quickstart_project
from hatrack.workflows.quickstart_data import DOMAINS, records, select


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    for module in ("license_expression", "iso18245", "simple_icd_10_cm"):
        pytest.importorskip(module)
    root = tmp_path_factory.mktemp("quickstart")
    return root, write_quickstart_project(root)


def test_select_takes_no_label_above_its_fair_share_while_others_have_rows():
    rows = [(f"a{i}", "often", "") for i in range(100)] + [(f"b{i}", "rare", "") for i in range(5)]
    chosen = Counter(label for _, label, _ in select(rows, 20, seed=1))
    assert chosen == {"often": 15, "rare": 5}


def test_select_is_the_same_for_the_same_seed():
    rows = [(str(i), str(i % 3), "") for i in range(60)]
    assert select(rows, 20, seed=1) == select(rows, 20, seed=1) != select(rows, 20, seed=2)


def test_every_domain_passes_every_check_of_its_data(project):
    root, _ = project
    config = read_config(root)
    assert set(config.adapters) == set(DOMAINS)
    for adapter in config.adapters.values():
        prepared = prepare(adapter, root)
        assert prepared.record.rejected == 0
        assert prepared.record.rows["test"] >= 90
        assert len(prepared.labels) >= 5


def test_the_question_of_each_domain_and_its_whole_group_are_kept_out_of_the_data(project):
    root, questions = project
    for domain, (question, label, group) in questions.items():
        text = (root / "data" / f"{domain}.jsonl").read_text()
        assert f'"text": "{question}"' not in text
        assert f'"group": "{group}"' not in text
        assert f'"label": "{label}"' in text  # it can be learned from other records


def test_records_of_a_domain_are_distinct_texts(project):
    texts = [text.casefold() for text, _, _ in records("finance")]
    assert len(texts) == len(set(texts)) > 500


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    def missing(module, **why):
        raise MissingExtra("x", fix=f'pip install "hatrack[{why["extra"]}]"')

    monkeypatch.setattr(quickstart_data, "require", missing)
    with pytest.raises(MissingExtra) as refused:
        records("legal")
    assert refused.value.fix == 'pip install "hatrack[quickstart]"'


def test_a_second_call_takes_what_the_first_one_wrote(project, monkeypatch):
    root, questions = project
    monkeypatch.setattr(quickstart, "records", lambda domain: pytest.fail("the records were read again"))
    assert write_quickstart_project(root) == questions
