"""F09: unknown keys are refused with "did you mean", and one look at the file finds every fault."""

from __future__ import annotations

import pytest

from hatrack.core.config_file import CONFIG_NAME, parse_config, read_config
from hatrack.core.errors import ConfigError
from hatrack.training.methods.base import option_model

GOOD = """\
base: bundled/smollm2-135m-instruct
adapters:
  legal: {data: legal.jsonl, task: classify-by-text, r: 8, last_layers: 2}
"""


def adapter(extra: str) -> str:
    return f"adapters:\n  legal:\n    data: legal.jsonl\n    task: classify\n{extra}"


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse_config(text, option_model)
    assert refused.value.faults, str(refused.value)
    return list(refused.value.faults)


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        parse_config(text, option_model)
    return str(refused.value)


def test_a_correct_file_is_read_with_its_defaults():
    config = parse_config(GOOD, option_model)
    legal = config.adapters["legal"]
    assert legal.options == {"r": 8, "last_layers": 2}
    assert (legal.data.train, legal.method, legal.train.seed, legal.checks.max_truncated) == ("legal.jsonl", "lora", 13, 0.01)


@pytest.mark.parametrize(
    ("text", "place", "meant"),
    [
        (GOOD + "bsae: x\n", "bsae", "base"),
        (adapter("    dat: x\n"), "adapters.legal.dat", "data"),
        (adapter("    train: {epoch: 3}\n"), "adapters.legal.train.epoch", "epochs"),
        (adapter("    checks: {max_trunc: 0.1}\n"), "adapters.legal.checks.max_trunc", "max_truncated"),
        (adapter("    columns: {txt: body}\n"), "adapters.legal.columns.txt", "text"),
        (adapter("    alhpa: 16\n"), "adapters.legal.alhpa", "alpha"),
        (adapter("    target_module: [q_proj]\n"), "adapters.legal.target_module", "target_modules"),
        (GOOD + "gate: {mingain: 0.1}\n", "gate.mingain", "min_gain"),
        ("adapters: {legal: {data: {trian: x}, task: classify}}", "adapters.legal.data.trian", "train"),
    ],
)
def test_F09_an_unknown_key_is_refused_with_the_nearest_known_one(text: str, place: str, meant: str):
    assert f"{place}: unknown key; did you mean {meant}?" in faults(text)


def test_F09_an_unknown_key_like_no_other_is_answered_with_all_that_are_allowed():
    (fault,) = faults(GOOD + "zzzzzz: 1\n")
    assert fault.startswith(
        "zzzzzz: unknown key; allowed: adapters, base, compare, gate, guard, hosted, knowledge, provider, registry, routing, "
    )
    assert fault.endswith("safety, serve, tables, watch")


def test_F09_all_faults_are_reported_together():
    text = """\
bsae: x
adapters:
  Legal Dept: {data: a.jsonl, task: classify}
  base: {data: a.jsonl, task: classify}
  one: {task: classfy, r: -1, split: [0.5, 0.5, 0.5]}
  two: {data: b.jsonl, task: instruct, train: {epochs: 0, sed: 1}, method: lroa}
"""
    found = faults(text)
    for place in (
        "bsae: unknown key",
        "adapters.Legal Dept: adapter names",
        "adapters.base: 'base' is the name of the unadapted model",
        "adapters.one.data: this key is required",
        "adapters.one.task: Input should be 'instruct'",
        "adapters.one.r: Input should be greater",
        "adapters.one.split: shares must be positive and sum to 1",
        "adapters.two.train.epochs: Input should be greater",
        "adapters.two.train.sed: unknown key; did you mean seed?",
        "adapters.two.method: there is no method called 'lroa'; allowed: adalora, ",
    ):
        assert any(fault.startswith(place) for fault in found), place
    assert len(found) == 10


def test_F09_every_fault_stands_on_its_own_line_of_the_message():
    lines = refusal(GOOD + "bsae: x\ngaet: {}\n").splitlines()
    assert lines[0] == f"{CONFIG_NAME} has 2 faults"
    assert [line[:9] for line in lines[1:3]] == ["  - bsae:", "  - gaet:"]


def test_a_server_reads_the_file_without_knowing_the_methods():
    assert parse_config(adapter("    method: other\n    depth: 3\n")).adapters["legal"].options == {"depth": 3}


@pytest.mark.parametrize("name", ["Legal", "a b", "../x", "-a", "a" * 65, "é"])
def test_a_bad_adapter_name_is_refused(name: str):
    (fault,) = faults(f"adapters: {{'{name}': {{data: d.jsonl, task: classify}}}}")
    assert fault.startswith(f"adapters.{name}: adapter names have the form")


@pytest.mark.parametrize("shares", ["[0.5, 0.2, 0.2]", "[1.0, 0.0, 0.0]", "[1.2, -0.1, -0.1]"])
def test_split_shares_must_be_positive_and_sum_to_one(shares: str):
    assert any("shares must be positive and sum to 1" in fault for fault in faults(adapter(f"    split: {shares}\n")))


def test_a_file_without_adapters_is_refused():
    assert faults("adapters: {}")[0].startswith("adapters or tables: ")
    assert faults("base: x") == ["adapters or tables: one of these keys is required"]


def test_a_key_written_twice_is_refused_with_its_line():
    message = refusal(GOOD + "base: other\n")
    assert "the key 'base' occurs twice" in message
    assert "line 4" in message


def test_a_key_written_twice_inside_an_adapter_is_refused():
    assert "the key 'epochs' occurs twice" in refusal(adapter("    train: {epochs: 1, seed: 2, epochs: 3}\n"))


def test_an_anchor_can_be_merged_and_overridden():
    text = "adapters:\n  a: &a {data: d.jsonl, task: classify}\n  b: {<<: *a, task: instruct}\n"
    assert parse_config(text, option_model).adapters["b"].task == "instruct"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base: [1, 2\nadapters: {", "is not valid YAML"),
        ("a:\tb: c", "line 1"),
        ("base: {{ base }}\n" + GOOD[GOOD.index("adapters") :], "put braces in quotes"),
        ("base: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("base: " + "[" * 5000, "nested too deeply"),
        ("- a\n- b\n", "must hold keys and values"),
        ("", "must hold keys and values"),
    ],
)
def test_what_is_no_usable_yaml_is_one_clear_error(text: str, said: str):
    assert said in refusal(text)


def test_a_file_that_is_not_utf8_is_refused_with_the_byte(tmp_path):
    (tmp_path / CONFIG_NAME).write_bytes(b"base: caf\xe9\n")
    with pytest.raises(ConfigError, match="is not UTF-8") as refused:
        read_config(tmp_path)
    assert "byte 9: 0xe9" in str(refused.value)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match="hatrack init"):
        read_config(tmp_path)


def test_a_folder_in_the_files_place_is_refused(tmp_path):
    (tmp_path / CONFIG_NAME).mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path)


SWEPT = "base: x\nadapters: {{first: {{data: d, task: classify, sweep: {}}}}}"


def test_one_value_under_sweep_is_a_list_of_one():
    sweep = parse_config(SWEPT.format("{methods: ia3, ranks: 4, targets: [[query], null]}"), option_model).adapters["first"].sweep
    assert (sweep.methods, sweep.ranks, sweep.targets) == (("ia3",), (4,), (("query",), None))


def test_faults_under_sweep_are_told_in_the_words_of_the_file():
    with pytest.raises(ConfigError) as refused:
        parse_config(SWEPT.format("{methods: [lora, lroa], ranks: [], targets: [query]}"), option_model)
    assert refused.value.faults == (
        "adapters.first.sweep.ranks: an empty list tries nothing; leave the key out",
        "adapters.first.sweep.targets: a list of lists is needed, one for each choice: [[q_proj, v_proj], null]",
        "adapters.first.sweep.methods: there is no method called 'lroa'; did you mean lora?",
    )
