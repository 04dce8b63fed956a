"""Chat templates taken apart: the usual ones come out as they are, one that does more is refused; Go's syntax is what Ollama fills in."""

from __future__ import annotations

import re

import pytest

from conftest import CHATML, make_tokenizer
from hatrack.core.chat import Message
from hatrack.core.errors import TemplateError
from hatrack.models.exporters.ollama import go_template
from hatrack.models.render import PLAIN_TEMPLATE, ChatRenderer
from hatrack.models.turns import take_apart

# As SmolLM2's: a system prompt of its own where there is none.
DEFAULTED = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|im_start|>system\nBe good.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# As Llama 3's: a token that begins every text.
BEGUN = (
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m['role'] }}<|im_end|>\n\n{{ m['content'] }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant<|im_end|>\n\n{% endif %}"
)
# As Llama 2's: the system prompt stands inside the first question.
INSIDE = (
    "{% for m in messages %}{% if m['role'] == 'user' %}[INST] {% if loop.index0 == 1 %}<<{{ messages[0]['content'] }}>>{% endif %}"
    "{{ m['content'] }} [/INST]{% elif m['role'] == 'assistant' %}{{ m['content'] }}<|im_end|>{% endif %}{% endfor %}"
)
NUMBERED = "{% for m in messages %}{{ loop.index }} {{ m['role'] }}: {{ m['content'] }}<|im_end|>\n{% endfor %}"
LATE = CHATML.replace("<|im_end|>\n{% endfor %}", "<|im_end|>\n{% if loop.index == 4 %}And so on.{% endif %}{% endfor %}")
TALKS = [
    [Message("user", "What is {{ this }}?")],
    [Message("system", "Be brief.\nAlways."), Message("user", "é 🙂")],
    [Message("user", "a"), Message("assistant", "b"), Message("user", "c"), Message("assistant", "d"), Message("user", "e")],
]


def renderer(template):
    return ChatRenderer(make_tokenizer(template))


@pytest.mark.parametrize("template", [CHATML, DEFAULTED, BEGUN, PLAIN_TEMPLATE], ids=["chatml", "defaulted", "begun", "plain"])
def test_put_together_again_it_is_what_the_template_writes(template):
    turns = take_apart(renderer(template))
    for talk in TALKS:
        assert turns.written(talk) == renderer(template).written(talk, generate=True)
        assert filled(go_template(turns), talk) == renderer(template).written(talk, generate=True)


@pytest.mark.parametrize("template", [INSIDE, NUMBERED, LATE], ids=["inside", "numbered", "late"])
def test_a_template_that_does_more_is_refused(template):
    with pytest.raises(TemplateError, match="more than to put marks"):
        take_apart(renderer(template))


def test_braces_of_a_template_are_no_code_in_go():
    odd = CHATML.replace("<|im_start|>", "{{ '{{' }}")
    turns = take_apart(renderer(odd))
    assert '{{ "{{" }}user\n{{ .Content }}' in go_template(turns)
    assert filled(go_template(turns), TALKS[0]) == renderer(odd).written(TALKS[0], generate=True)


def filled(template: str, talk: list[Message]) -> str:
    """What Go's text/template makes of the few constructs that are written here."""
    head = re.match(r'\{\{ if ne \(index \.Messages 0\)\.Role "system" \}\}(.*?)\{\{ end \}\}', template, re.DOTALL)
    start = head.group(1) if head and talk[0].role != "system" else ""
    template = template[head.end() :] if head else template
    body, rest = re.fullmatch(r"\{\{ range \.Messages \}\}(.*\{\{ end \}\})\{\{ end \}\}(.*)", template, re.DOTALL).groups()
    arms = dict(re.findall(r'if eq \.Role "(\w+)" \}\}(.*?)(?=\{\{ else |\{\{ end \}\}$)', body, re.DOTALL))
    text = start + "".join(arms[m.role].replace('{{ "{{" }}', "\x00").replace("{{ .Content }}", m.content) for m in talk) + rest
    return text.replace('{{ "{{" }}', "{{").replace("\x00", "{{")
