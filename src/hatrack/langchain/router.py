"""A tool for agents that asks whichever adapter a question belongs to, and says which one it was."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from langchain_core.callbacks import CallbackManagerForToolRun
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field

from hatrack.answering.assistant import Assistant
from hatrack.answering.decision import Wanted
from hatrack.answering.reply import ask_grounded
from hatrack.answering.route import Router

__all__ = ["RouterQuestion", "RouterTool"]


class RouterQuestion(BaseModel):
    """What the tool takes."""

    question: str = Field(description="The whole question, understandable by itself.")
    country: str = Field("", description="The country it is about, as FR; empty where it is about none.")


class RouterTool(BaseTool):
    """Routes by the project's rules, country and content; answers from documents where the adapter does."""

    name: str = "ask_expert"
    description: str = "Ask the expert of a domain (law, finance, medicine, ...). The right one is chosen by itself."
    args_schema: Any = RouterQuestion
    project: str = "."
    max_tokens: int = 256
    tenant: str = ""
    assistant: Any = None

    @cached_property
    def _opened(self) -> tuple[Assistant, Router]:
        assistant = self.assistant or Assistant.open(self.project)
        return assistant, Router.of(assistant.config, assistant.project, assistant.registry)

    def _run(self, question: str, country: str = "", run_manager: CallbackManagerForToolRun | None = None) -> str:
        assistant, router = self._opened
        attributes = {"country": country} if country else {}
        decision = router.route(question, Wanted(tenant=self.tenant, attributes=attributes))
        wish = assistant.knowledge.wanted(decision.adapter, None)
        if wish is None:
            text = assistant.generate(question, decision.adapter, max_new_tokens=self.max_tokens).text
            return f"{decision.adapter}: {text}"
        grounded, text = ask_grounded(
            assistant, question, decision.adapter, wish, tenant=self.tenant or None, max_new_tokens=self.max_tokens
        )
        sources = "".join(f"\n[{number}] {one.source}" for number, one in enumerate(grounded.passages, 1))
        return f"{decision.adapter}: {text}{sources}"
