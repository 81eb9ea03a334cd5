"""Renders conversations as text: in training exactly as inspect-ai's ``hf`` provider does it in evaluation.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "answer_text",
    "default_template",
    "end_of_answer",
    "instruct_messages",
    "pinned_template",
    "plain_text_arguments",
    "render_plain_text",
    "render_prompt",
]

# Llama 3's own default. A template with today's date would train on one day's prompt and evaluate on another day's.
_PINNED_DATE = "26 Jul 2024"
_PIN = "{%- macro strftime_now(format) -%}" + _PINNED_DATE + "{%- endmacro -%}"

# The contents of all messages, one after the other, and nothing else.
_CONTENTS = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
_BEGINNING = "{{ bos_token }}"
_TRIALS = ("House", " a b", "x\ny", "é")

Message = Mapping[str, str]


def default_template(templates: Any) -> str:
    """Returns the template for conversations without tools, as Transformers chooses it; empty without a template.

    Args:
        templates: a template; or several with names, as a mapping or as ``tokenizer_config.json`` lists them.

    Raises:
        ValueError: there are several, and none is named ``default``.
    """
    if not templates or isinstance(templates, str):
        return templates or ""
    named = templates
    if isinstance(templates, list):
        items = [item for item in templates if isinstance(item, dict)]
        named = {str(item.get("name")): item.get("template") for item in items}
    if not isinstance(named, dict):
        raise ValueError(f"its chat_template is neither a text nor a list of named templates: {templates!r:.100}")  # noqa: TRY004
    if "default" not in named:
        raise ValueError(
            f"none of its chat templates is named `default`; there are: {', '.join(map(str, named)) or 'none'}"
        )
    if not isinstance(named["default"], str):
        raise ValueError("its chat template `default` is not a text")  # noqa: TRY004  wrong data
    return named["default"]


def pinned_template(template: str) -> str:
    """Returns the chat template with a fixed date instead of today's; any other template unchanged."""
    if "strftime_now" not in template or template.startswith(_PIN):
        return template
    return _PIN + template


def instruct_messages(system_prompt: str, prompt: str, value: str) -> list[Message]:
    """Returns the messages of one example; an empty system prompt makes no message, as in evaluation.

    Only ``{input}`` is replaced: other braces in prompts and data stay.
    """
    messages: list[Message] = []
    if system_prompt:
        messages.append({"role": "system", "content": system_prompt})
    messages.append({"role": "user", "content": prompt.replace("{input}", value)})
    return messages


def render_prompt(tokenizer: Any, messages: Sequence[Message]) -> str:
    """Returns the text that the model continues.

    Without a chat template it is ``role: content`` line by line, as in inspect-ai.
    """
    return _render(tokenizer, messages, add_generation_prompt=True)


def answer_text(tokenizer: Any, messages: Sequence[Message], answer: str) -> str:
    """Returns the text that the model should generate, including the token that ends its turn.

    A line break that a template puts after that token is never generated, and so is not trained.

    Raises:
        ValueError: the template renders a finished turn differently from an open one, so that training would not match
            generation; or it changes the answer, so that the model would learn another one.
    """
    end = str(tokenizer.eos_token or "")
    if not tokenizer.chat_template:
        return answer + end
    prompt = render_prompt(tokenizer, messages)
    finished = [*messages, {"role": "assistant", "content": answer}]
    whole = _render(tokenizer, finished, add_generation_prompt=False)
    if not whole.startswith(prompt):
        raise ValueError("the chat template renders a finished answer differently from the prompt that asks for it")
    text = whole[len(prompt) :].rstrip()
    if answer not in whole[len(prompt) :]:
        shown = f"{answer!r} becomes {text!r}"
        raise ValueError(f"the chat template changes the answer ({shown[:200]}): write it as the template renders it")
    has_end = any(token and text.endswith(token) for token in tokenizer.all_special_tokens)
    if has_end:
        return text
    return text + end


def end_of_answer(tokenizer: Any) -> str:
    """Returns the token with which training ends an answer; empty for a tokenizer without one.

    Raises:
        ValueError: the chat template cannot render an answer.
    """
    text = answer_text(tokenizer, [{"role": "user", "content": "a"}], "b")
    ends = [str(token) for token in tokenizer.all_special_tokens if token and text.endswith(str(token))]
    return max(ends, key=len, default="")


def render_plain_text(tokenizer: Any, messages: Sequence[Message]) -> str:
    """Returns the text that a model continues that was trained on plain text: the contents, without a template."""
    return str(tokenizer.bos_token or "") + "".join(message["content"] for message in messages)


def plain_text_arguments(tokenizer: Any) -> dict[str, Any]:
    """Returns arguments of inspect-ai's ``hf`` provider that ask for a plain text with the tokens of training.

    These are the token that begins a text, where the tokenizer has one, and those of the text by itself. Some
    tokenizers write the text behind a written beginning with other tokens, and must add the beginning themselves.

    Args:
        tokenizer: Transformers' tokenizer of the model.

    Raises:
        ValueError: the provider cannot ask with these tokens.
    """
    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    wanted = [[*begin, *tokenizer.encode(text, add_special_tokens=False)] for text in _TRIALS]
    bos = str(tokenizer.bos_token or "")
    if [tokenizer.encode(bos + text, add_special_tokens=False) for text in _TRIALS] == wanted:
        template = _BEGINNING + _CONTENTS if bos else _CONTENTS
        return {"chat_template": template, "tokenizer_call_args": {"add_special_tokens": False}}
    if [tokenizer.encode(text, add_special_tokens=True) for text in _TRIALS] == wanted:
        return {"chat_template": _CONTENTS, "tokenizer_call_args": {"add_special_tokens": True}}
    raise ValueError("inspect-ai cannot ask this model for a plain text with the tokens that training uses")


def _render(tokenizer: Any, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
    if not messages:
        raise ValueError("nothing is asked before the first answer: begin with a message of the user")
    if not tokenizer.chat_template:
        return "".join(f"{message['role']}: {message['content']}\n" for message in messages)
    template = default_template(tokenizer.chat_template)
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            chat_template=pinned_template(template),
            add_generation_prompt=add_generation_prompt,
            tokenize=False,
            tools=None,
            enable_thinking=None,
        )
    except Exception as error:  # jinja's TemplateError and whatever a template's own code raises
        raise ValueError(f"the model's chat template refuses this conversation: {error}") from error
    return str(text)
