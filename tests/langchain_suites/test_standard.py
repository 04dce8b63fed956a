"""LangChain's own standard suites over our parts, and what is ours alone. Skipped where ``langchain-tests`` is not installed."""

from __future__ import annotations

import pytest

pytest.importorskip("langchain_tests", reason="LangChain's standard suites are not installed (langchain-tests)")

from langchain_tests.integration_tests.cache import AsyncCacheTestSuite, SyncCacheTestSuite
from langchain_tests.integration_tests.embeddings import EmbeddingsIntegrationTests
from langchain_tests.integration_tests.retrievers import RetrieversIntegrationTests
from langchain_tests.unit_tests.chat_models import ChatModelUnitTests
from langchain_tests.unit_tests.embeddings import EmbeddingsUnitTests
from langchain_tests.unit_tests.tools import ToolsUnitTests

from hatrack.langchain import HatrackCache, HatrackChat, HatrackEmbeddings, HatrackRetriever, RouterTool
from knowledge_places import FACTS, add, knowledge_project, write_rows


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    root = knowledge_project(tmp_path_factory.mktemp("langchain"))
    add(root, write_rows(root / "facts.jsonl", FACTS))
    return root


class TestEmbeddingsUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self):
        return HatrackEmbeddings

    @property
    def embedding_model_params(self):
        return {"embedder": "hashing:64"}


class TestEmbeddings(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self):
        return HatrackEmbeddings

    @property
    def embedding_model_params(self):
        return {"embedder": "hashing:64"}


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _root(self, facts):
        self._project = str(facts)

    @property
    def retriever_constructor(self):
        return HatrackRetriever

    @property
    def retriever_constructor_params(self):
        return {"project": self._project}

    @property
    def retriever_query_example(self):
        return "the rate of VAT for a lost card at the desk"


class TestChatUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self):
        return HatrackChat

    @property
    def chat_model_params(self):
        return {"adapter": "base"}

    @property
    def has_tool_calling(self):
        return False

    @property
    def has_structured_output(self):
        return False


class TestToolUnit(ToolsUnitTests):
    @property
    def tool_constructor(self):
        return RouterTool

    @property
    def tool_constructor_params(self):
        return {"project": "."}

    @property
    def tool_invoke_params_example(self):
        return {"question": "What does a lost card cost?", "country": "FR"}


@pytest.fixture
def empty(facts):
    made = HatrackCache(facts)
    made.clear()
    yield made
    made.close()


class TestCache(SyncCacheTestSuite):
    @pytest.fixture
    def cache(self, empty):
        return empty


class TestCacheAwaited(AsyncCacheTestSuite):
    @pytest.fixture
    def cache(self, empty):
        return empty
