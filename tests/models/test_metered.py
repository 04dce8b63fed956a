"""A hosted model in use: asked again, counted, never beyond a budget, whoever else spends the same money."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime

import pytest

from hatrack.core.chat import Message
from hatrack.core.config_price import Price
from hatrack.core.errors import BudgetExceeded, ProviderError, ProviderUnreachable, RequestError, StorageError
from hatrack.core.lineage import HostedWeights
from hatrack.models.backends.hosted import asked_together
from hatrack.models.backends.ledger import NANOS, Ledger, Limit
from hatrack.models.backends.metered import MeteredModel
from hatrack.models.backends.terms import Terms
from hatrack.models.causal import Sampling
from provider_server import KEY, Fault, provider_server

TURNS = (Message("user", "x" * 36),)  # at most 36 + 16 + 64 = 116 tokens
PRICE = Price(input_million=10_000, output_million=100_000)  # 0.01 and 0.1 a token: sums that can be read
SAMPLING = Sampling(max_new_tokens=10)  # so 1.16 + 1.00 = 2.16 at most
MOST, COST = 2.16, 0.11  # one word there, one back


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    monkeypatch.setattr("hatrack.models.backends.metered.FIRST_WAIT", 0.01)
    with provider_server() as running:
        running.models = {"m"}
        yield running


def weights(server, **keys):
    return HostedWeights(
        provider=keys.pop("provider", "openai"), base_url=server.base_url, api_key_env="SOME_KEY", base_model="m", model="m", job="",
        hyperparameters={}, trained_tokens=None, data_digest="", **keys,
    )  # fmt: skip


def limit(money, whose="adapter", of="a", period="total"):
    return Limit(whose, of, period, int(money * NANOS), f"there.{period}")


def model(server, book, *limits, price=PRICE, retries=4, timeout=20.0, adapter="a", **keys):
    terms = Terms(adapter, "here#m", price, limits, timeout, retries, 1000, Ledger(book))
    return MeteredModel(weights(server, **keys), terms)


def spent(book):
    return sum(one.nanos or 0 for one in Ledger(book).spent("total")) / NANOS


def test_tokens_and_cost_are_counted_by_adapter_and_model(server, tmp_path):
    book = tmp_path / "deep" / "spending.db"
    for adapter in ("a", "a", "b"):
        assert model(server, book, adapter=adapter).complete(TURNS, SAMPLING).cost == pytest.approx(COST)
    lines = [(one.adapter, one.model, one.requests, one.unsure, one.prompt_tokens, one.answer_tokens) for one in Ledger(book).spent("day")]
    assert lines == [("a", "here#m", 2, 0, 2, 2), ("b", "here#m", 1, 0, 1, 1)]
    assert spent(book) == pytest.approx(3 * COST)
    assert book.stat().st_mode & 0o077 == 0, "what a company asks and spends is nobody else's to read"


def test_without_a_price_tokens_are_counted_and_no_cost_is_made_up(server, tmp_path):
    assert model(server, tmp_path / "b", price=None).complete(TURNS, SAMPLING).cost is None
    [line] = Ledger(tmp_path / "b").spent("total")
    assert (line.prompt_tokens, line.nanos) == (1, None)


def test_faults_that_pass_are_waited_out(server, tmp_path):
    path = "/chat/completions"
    server.faults = [Fault(path, status=429, headers={"Retry-After": "0"}), Fault(path, status=500), Fault(path, status=503)]
    assert model(server, tmp_path / "b").complete(TURNS, SAMPLING).text == "red"
    assert spent(tmp_path / "b") == pytest.approx(COST), "what was refused was counted"


def test_retry_after_is_kept_to_and_a_long_one_is_not_waited_for(server, tmp_path):
    server.faults = [Fault("", status=429, headers={"Retry-After": "0.4"})]
    begin = time.monotonic()
    model(server, tmp_path / "b").complete(TURNS, SAMPLING)
    assert time.monotonic() - begin > 0.4
    server.faults = [Fault("", status=429, headers={"Retry-After": "3600"})]
    begin = time.monotonic()
    with pytest.raises(ProviderUnreachable):
        model(server, tmp_path / "b").complete(TURNS, SAMPLING)
    assert time.monotonic() - begin < 5


def test_a_provider_that_does_not_come_back_is_unreachable_after_so_many_attempts(server, tmp_path):
    server.faults = [Fault("", status=500)] * 20
    with pytest.raises(ProviderUnreachable):
        model(server, tmp_path / "b", retries=2).complete(TURNS, SAMPLING)
    assert len(server.asked) == 3
    assert spent(tmp_path / "b") == 0


def test_what_will_not_pass_is_not_asked_again(server, tmp_path):
    server.faults = [Fault("", status=429, code="insufficient_quota")]
    with pytest.raises(ProviderError, match="refuses"):
        model(server, tmp_path / "b").complete(TURNS, SAMPLING)
    assert len(server.asked) == 1


def test_an_answer_that_never_came_counts_with_the_most_it_can_cost(server, tmp_path):
    server.faults = [Fault("", drop=True)]
    model(server, tmp_path / "b").complete(TURNS, SAMPLING)  # the second attempt
    assert spent(tmp_path / "b") == pytest.approx(MOST + COST)
    assert Ledger(tmp_path / "b").spent("total")[0].unsure == 1


def test_a_stream_that_was_heard_is_not_begun_again(server, tmp_path):
    server.say = lambda model, messages: "one two three"
    server.faults = [Fault("", events=3)]
    heard = []
    with pytest.raises(ProviderUnreachable):
        model(server, tmp_path / "b").complete(TURNS, SAMPLING, on_text=heard.append)
    assert (heard, len(server.asked)) == (["one", " two"], 1)
    server.faults = [Fault("", status=503)]  # nothing was heard yet
    model(server, tmp_path / "b").complete(TURNS, SAMPLING, on_text=heard.append)
    assert heard[2:] == ["", "one", " two", " three"]


@pytest.mark.parametrize(("whose", "of"), [("adapter", "a"), ("model", "here#m")])
def test_what_could_break_a_budget_is_not_sent(server, tmp_path, whose, of):
    one = model(server, tmp_path / "b", limit(MOST + 2 * COST, whose, of))
    for _ in range(3):
        one.complete(TURNS, SAMPLING)
    with pytest.raises(BudgetExceeded, match="nothing was sent") as caught:
        one.complete(TURNS, SAMPLING)
    assert len(server.asked) == 3
    assert "there.total" in caught.value.allowed
    one.complete(TURNS, Sampling(max_new_tokens=8))  # one that costs less at most still may


def test_a_budget_outlives_the_process_and_other_adapters_have_their_own(server, tmp_path):
    model(server, tmp_path / "b", limit(MOST)).complete(TURNS, SAMPLING)
    with pytest.raises(BudgetExceeded):
        model(server, tmp_path / "b", limit(MOST)).complete(TURNS, SAMPLING)
    model(server, tmp_path / "b", limit(MOST, of="c"), adapter="c").complete(TURNS, SAMPLING)


@pytest.mark.parametrize(
    ("period", "then", "now", "free"),
    [
        ("day", "2026-03-31T23:59", "2026-04-01T00:00", True),
        ("day", "2026-03-31T00:00", "2026-03-31T23:59", False),
        ("month", "2026-03-31T23:59", "2026-04-01T00:00", True),
        ("month", "2026-03-01T00:00", "2026-03-31T23:59", False),
        ("total", "2020-01-01T00:00", "2026-03-31T23:59", False),
    ],
)
def test_days_and_months_are_those_of_utc(tmp_path, period, then, now, free):
    def ledger(when):
        return Ledger(tmp_path / "b", now=lambda: datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp())

    ledger(then).reserve("a", "m", 1, 1, NANOS, [limit(1.0, period=period)])
    if free:
        ledger(now).reserve("a", "m", 1, 1, NANOS, [limit(1.0, period=period)])
    else:
        with pytest.raises(BudgetExceeded):
            ledger(now).reserve("a", "m", 1, 1, NANOS, [limit(1.0, period=period)])


def test_threads_do_not_spend_the_same_money_twice(server, tmp_path):
    server.faults = [Fault("", slow=0.2)] * 8  # so that all are under way at once
    one = model(server, tmp_path / "b", limit(2.5 * MOST))

    def ask(number):
        try:
            return one.complete(TURNS, SAMPLING).cost
        except BudgetExceeded:
            return None

    answers = asked_together(ask, range(4))
    assert answers.count(None) == 2, "four requests under way at once had money for two"


def test_processes_do_not_spend_the_same_money_twice(tmp_path):
    """Sixty times, three processes want the same last money at the same moment."""
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from hatrack.core.errors import BudgetExceeded
        from hatrack.models.backends.ledger import Ledger, Limit
        ledger, begin, taken = Ledger(Path(sys.argv[1])), float(sys.argv[2]), 0
        ledger.used(Limit("model", "m", "day", 1, "here"))
        for number in range(60):
            while time.time() < begin + 0.02 * number:
                pass
            try:
                ledger.reserve(f"a{number}", "m", 1, 1, 1, [Limit("adapter", f"a{number}", "day", 1, "here")])
                taken += 1
            except BudgetExceeded:
                pass
        print(taken)
        """
    )
    asked = [sys.executable, "-c", program, str(tmp_path / "b"), str(time.time() + 3)]
    ran = [subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    taken = [int(one.communicate(timeout=60)[0]) for one in ran]
    assert sum(taken) == 60, taken


def test_money_that_cannot_be_written_down_is_not_spent(server, tmp_path):
    (tmp_path / "b").mkdir()  # a folder where the file should be
    with pytest.raises(StorageError, match="nothing is sent"):
        model(server, tmp_path / "b").complete(TURNS, SAMPLING)
    assert not server.asked


def test_options_that_the_model_does_not_know_are_refused_before_they_are_sent(server, tmp_path):
    with pytest.raises(RequestError, match="knows no seed"):
        model(server, tmp_path / "b", provider="anthropic").complete(TURNS, Sampling(seed=1))
    with pytest.raises(RequestError, match="neither temperature"):
        model(server, tmp_path / "b", sampling=False).complete(TURNS, Sampling(temperature=0.5))
    with pytest.raises(RequestError, match="at the beginning only"):
        model(server, tmp_path / "b", provider="anthropic").complete((*TURNS, Message("system", "x")), SAMPLING)
    assert not server.asked
