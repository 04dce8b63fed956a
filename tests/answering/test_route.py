"""Routing: the first thing that decides, decides; what it leads to is there and allowed, or the request is refused."""

import pytest

from hatrack.answering.decision import Wanted
from hatrack.answering.route import routed_text
from hatrack.core.chat import Message
from hatrack.core.errors import AdapterForbidden, AdapterNotFound, ConfigError
from routed_projects import config_of, learn, router_of

ROUTES = {
    "legal": {},
    "finance": {},
    "fr-tax": {"country": "FR"},
    "acme": {"tenant": "acme"},
    "acme-fr": {"tenant": "acme", "country": ["fr", "BE"]},
}
LEARNED = {"legal": "contract", "finance": "card", "fr-tax": "tax"}


@pytest.fixture
def router(tmp_path):
    return router_of(tmp_path, ROUTES, learned=LEARNED)[0]


def asked(tenant="", allowed=None, model="auto", **attributes):
    return Wanted(model, tenant, allowed, attributes)


def test_a_named_adapter_answers_whatever_else_fits(router):
    decision = router.route("my card", asked("acme", model="legal@1.0.0", country="FR"))
    assert (decision.adapter, decision.version, decision.rule) == ("legal", "1.0.0", "explicit")
    assert router.route("my contract", asked(model="base")).manifest is None


@pytest.mark.parametrize(
    ("wanted", "adapter", "rule"),
    [
        (asked("acme"), "acme", "tenant"),
        (asked("acme", country="DE"), "acme", "tenant"),
        (asked("acme", country="be"), "acme-fr", "tenant"),
        (asked(country="fr"), "fr-tax", "country"),
        (asked("other", country="FR"), "fr-tax", "country"),
        (asked("ACME"), "legal", "content"),  # a tenant counts to the letter
        (asked(country="BE"), "legal", "content"),
        (asked(tenant="", country=""), "legal", "content"),
    ],
)
def test_tenant_then_country_then_content(router, wanted, adapter, rule):
    decision = router.route("the contract ends", wanted)
    assert (decision.adapter, decision.rule) == (adapter, rule)
    assert decision.reason


def test_a_tenant_is_never_taken_from_an_attribute(tmp_path):
    router, _, _ = router_of(tmp_path, ROUTES, rules=[{"when": {"tenant": "acme"}, "use": "legal"}])
    assert router.route("hello", Wanted(attributes={"tenant": "acme"})).rule == "fallback"
    assert router.route("hello", asked("acme")).rule == "rule 1"


def test_rules_come_in_their_order_and_all_of_their_keys_must_fit(tmp_path):
    rules = [
        {"when": {"department": ["claims", "fraud"], "language": "FR"}, "use": "fr-tax"},
        {"when": {"department": "Claims"}, "use": "base"},
    ]
    router, _, _ = router_of(tmp_path, ROUTES, rules=rules)
    assert router.route("x", asked("acme", department="fraud", language="fr")).adapter == "fr-tax"
    assert router.route("x", asked("acme", department="CLAIMS")).rule == "rule 2"
    assert router.route("x", asked("acme", department="fraud")).adapter == "acme"


def test_the_order_is_the_configs(tmp_path):
    router, _, _ = router_of(tmp_path, ROUTES, learned=LEARNED, order=["explicit", "content", "country"])
    assert router.route("my card", asked("acme", country="FR")).adapter == "finance"
    assert router.route("hello", asked("acme", country="FR")).adapter == "fr-tax"


def test_none_of_these_goes_to_the_fallback_and_says_so(router, tmp_path):
    decision = router.route("a poem about spring", asked())
    assert (decision.adapter, decision.rule) == ("base", "fallback")
    assert {score.adapter for score in decision.scores} == set(LEARNED)
    assert not any(score.accepted for score in decision.scores)
    other, _, _ = router_of(tmp_path / "other", ROUTES, fallback="finance")
    decision = other.route("a poem", asked())
    assert decision.adapter == "finance"
    assert "no adapter has learned" in decision.reason


def test_the_nearest_of_those_that_are_near_enough_is_chosen(tmp_path):
    router, registry, _ = router_of(tmp_path, ROUTES, learned={"finance": "card"})
    learn(registry, registry.resolve("legal"), "contract", tmp_path, threshold=0.99)
    assert router.route("contract contract card", asked()).adapter == "base"
    learn(registry, registry.resolve("legal"), "contract", tmp_path, threshold=0.3)
    learn(registry, registry.resolve("finance"), "card", tmp_path, threshold=0.2)
    decision = router.route("contract contract card", asked())
    assert [score.adapter for score in decision.scores] == ["legal", "finance"]
    assert decision.adapter == "legal"


def test_content_looks_only_at_what_the_tenant_may_use(router):
    decision = router.route("the contract ends", asked("guest", allowed={"finance", "base"}))
    assert decision.adapter == "base"
    assert [score.adapter for score in decision.scores] == ["finance"]


def test_F23_unknown_is_refused_with_the_nearest_names_and_never_answered_by_the_base(router):
    for model, near in (("leagl", "legal"), ("legal@9.9.9", "1.0.0"), ("../legal", ""), ("", "")):
        with pytest.raises(AdapterNotFound) as refused:
            router.route("the contract ends", asked(model=model))
        assert near in str(refused.value)


def test_F23_forbidden_is_an_error_of_its_own(router):
    with pytest.raises(AdapterForbidden) as refused:
        router.route("x", asked("guest", allowed={"finance"}, model="legal"))
    assert refused.value.allowed == "finance"
    with pytest.raises(AdapterForbidden, match="fr-tax"):  # what a route leads to is refused too, not passed over
        router.route("my card", asked("guest", allowed={"finance"}, country="FR"))
    with pytest.raises(AdapterForbidden, match="base"):  # the fallback is no exception
        router.route("a poem", asked("guest", allowed={"finance"}))


def test_who_may_not_use_an_adapter_does_not_learn_its_name(router):
    with pytest.raises(AdapterNotFound) as refused:
        router.route("x", asked("guest", allowed={"finance"}, model="acmee"))
    assert "acme-fr" not in str(refused.value)
    assert "finance" in str(refused.value)


def test_F23_a_route_to_an_adapter_without_a_version_is_refused(tmp_path):
    router, _, _ = router_of(tmp_path, ROUTES, unregistered={"fr-tax"})
    with pytest.raises(AdapterNotFound) as refused:
        router.route("x", asked(country="FR"))
    assert "by country" in refused.value.given


def test_a_server_learns_at_its_start_what_the_rules_name_in_vain(tmp_path):
    router, _, _ = router_of(tmp_path, ROUTES, fallback="bsae", rules=[{"when": {"country": "FR"}, "use": "fr-txa"}])
    with pytest.raises(ConfigError) as refused:
        router.check()
    assert len(refused.value.faults) == 2
    assert "did you mean fr-tax?" in refused.value.faults[0]
    router_of(tmp_path / "well", ROUTES)[0].check()


@pytest.mark.parametrize(
    ("routes", "routing", "says"),
    [
        ({"a": {"country": "FR"}, "b": {"country": ["BE", "FR"]}}, {}, "the routes of a and b fit the same requests"),
        ({"auto": {}}, {}, "'auto' lets routing choose"),
        ({"a": {"contry": "FR"}}, {}, "did you mean country?"),
        ({"a": {"country": "France"}}, {}, "two letters"),
        ({"a": {}}, {"order": ["content"]}, "must begin with explicit"),
        ({"a": {}}, {"order": ["explicit", "content", "content"]}, "twice"),
        ({"a": {}}, {"order": ["explicit"], "rules": [{"when": {"x": "1"}, "use": "a"}]}, "order does not name rules"),
        ({"a": {}}, {"rules": [{"when": {"X-Y": "1"}, "use": "a"}]}, "lower-case names"),
        ({"a": {}}, {"rules": [{"when": {"x": "1"}, "use": "../a"}]}, "NAME@VERSION"),
        ({"a": {}}, {"treshold": 0.5}, "did you mean threshold?"),
    ],
)
def test_faults_of_the_routing_are_found_when_the_config_is_read(routes, routing, says):
    with pytest.raises(ConfigError) as refused:
        config_of(routes, **routing)
    assert says in str(refused.value)


def test_a_short_last_turn_is_read_with_the_ones_before_it():
    turns = [Message("user", "my card"), Message("assistant", "which one?"), Message("user", "the blue one")]
    assert routed_text(turns) == "my card\nthe blue one"
    assert routed_text([*turns, Message("user", "x" * 700)]) == "x" * 700
