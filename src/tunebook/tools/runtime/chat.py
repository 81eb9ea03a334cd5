"""How a conversation becomes text: in training exactly as inspect-ai's ``hf`` provider does it in evaluation.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["answer_text", "instruct_messages", "pinned_template", "render_prompt"]

# Llama 3's own default. A template that asks for today would train on one day's prompt and evaluate on another's.
_PINNED_DATE = "26 Jul 2024"
_PIN = "{%- macro strftime_now(format) -%}" + _PINNED_DATE + "{%- endmacro -%}"

Message = Mapping[str, str]


def pinned_template(template: str) -> str:
    """The chat template with a fixed date in place of today's; any other template as it is."""
    if "strftime_now" not in template or template.startswith(_PIN):
        return template
    return _PIN + template


def instruct_messages(system_prompt: str, prompt: str, value: str) -> list[Message]:
    """The messages of one example; an empty system prompt is no message, as it is in evaluation.

    ``{input}`` is replaced and nothing else is: braces in prompts and data stay.
    """
    system: list[Message] = [{"role": "system", "content": system_prompt}] if system_prompt else []
    return [*system, {"role": "user", "content": prompt.replace("{input}", value)}]


def render_prompt(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The text that the model is given to go on from.

    Without a chat template it is ``role: content`` line by line, which is what inspect-ai falls back to.
    """
    return _render(tokenizer, messages, add_generation_prompt=True)


def answer_text(tokenizer: Any, messages: Sequence[Message], answer: str) -> str:
    """The text that the model should go on with, up to and with the token that ends its turn.

    What templates put after that token (a line break) is never generated, and so is not trained.

    Raises:
        ValueError: the template writes a finished turn otherwise than it asks for one: then nothing that is trained
            would be what is generated.
    """
    end = str(tokenizer.eos_token or "")
    if not tokenizer.chat_template:
        return answer + end
    prompt = render_prompt(tokenizer, messages)
    finished = [*messages, {"role": "assistant", "content": answer}]
    whole = _render(tokenizer, finished, add_generation_prompt=False)
    if not whole.startswith(prompt):
        raise ValueError("the chat template renders a finished answer otherwise than it asks for one")
    text = whole[len(prompt) :].rstrip()
    ends = [token for token in tokenizer.all_special_tokens if token]
    return text if any(text.endswith(token) for token in ends) else text + end


def _render(tokenizer: Any, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
    if not tokenizer.chat_template:
        return "".join(f"{message['role']}: {message['content']}\n" for message in messages)
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            chat_template=pinned_template(tokenizer.chat_template),
            add_generation_prompt=add_generation_prompt,
            tokenize=False,
            tools=None,
            enable_thinking=None,
        )
    except Exception as error:  # jinja's TemplateError and whatever a template's own code raises
        raise ValueError(f"the model's chat template refuses this conversation: {error}") from error
    return str(text)
