"""lm-evaluation-harness's ``hf`` model around a model that tunebook has loaded: it cuts, drops and changes nothing.

lm-eval by itself cuts long prompts at their beginning with a warning, drops a system message that a chat template
refuses, and ties the weights of a model that it is given. Each of these is an error here, or does not happen.

Runs inside jobs, and needs nothing else of tunebook. torch, Transformers and lm-eval are imported inside the function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunebook.tools.runtime.chat import default_template, pinned_template

__all__ = ["language_model"]


def language_model(model: Any, tokenizer: Any, *, batch_size: int, adds_special_tokens: bool | None) -> Any:
    """The model as lm-eval's evaluator takes it; its ``tokens`` counts what the model read and wrote.

    Args:
        model: as ``load_evaluated_model`` returns it.
        tokenizer: Transformers' tokenizer of the model.
        adds_special_tokens: whether the tokenizer adds special tokens to prompts; ``None`` leaves it to the tokenizer.
    """
    if tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token  # as inspect-ai: a special token, so that none is left in an answer
    # The provider ties weights again, which would undo an adapter of the output layer.
    model.tie_weights = lambda *_, **__: None
    try:
        return _provider()(
            pretrained=model, tokenizer=tokenizer, batch_size=batch_size, add_bos_token=adds_special_tokens
        )
    finally:
        del model.tie_weights


def _provider() -> Any:
    """lm-eval's class of models, with an error in every place where it would change the question."""
    from lm_eval.models.huggingface import HFLM

    provider: Any = HFLM

    class EvaluatedModel(provider):  # type: ignore[misc]  # a class of an untyped package
        tokens = 0

        def tok_batch_encode(
            self,
            strings: list[str],
            padding_side: str = "left",
            left_truncate_len: int | None = None,
            truncation: bool = False,  # noqa: FBT001, FBT002  the provider's own signature
        ) -> Any:
            ids, mask = super().tok_batch_encode(strings, padding_side, None, truncation)
            if left_truncate_len is not None and ids.shape[1] > left_truncate_len:
                raise ValueError(_too_long(ids.shape[1], self.max_length, self.max_length - left_truncate_len))
            return ids, mask

        def _loglikelihood_tokens(self, requests: Any, *arguments: Any, **options: Any) -> Any:
            for _, context, continuation in requests:
                if len(context) + len(continuation) > self.max_length + 1:
                    raise ValueError(_too_long(len(context), self.max_length, len(continuation)))
                self.tokens += len(context) + len(continuation)
            return super()._loglikelihood_tokens(requests, *arguments, **options)

        def _model_generate(self, context: Any, max_length: int, stop: list[str], **options: Any) -> Any:
            written = super()._model_generate(context, max_length, stop, **options)
            self.tokens += int(options["attention_mask"].sum())
            ends = set(self.model.generation_config.eos_token_id)
            self.tokens += sum(_length(row, ends) for row in written[:, context.shape[1] :].tolist())
            return written

        def apply_chat_template(
            self,
            chat_history: list[dict[str, str]],
            add_generation_prompt: bool = True,  # noqa: FBT001, FBT002  the provider's own signature
        ) -> str:
            return _rendered(self.tokenizer, chat_history, opens_answer=add_generation_prompt)

    return EvaluatedModel


def _length(row: Sequence[int], ends: set[int]) -> int:
    """The tokens of an answer with the one that ends it, without the padding behind it."""
    for place, token in enumerate(row):
        if token in ends:
            return place + 1
    return len(row)


def _too_long(prompt: int, reads: int, answer: int) -> str:
    message = f"a prompt has {prompt} tokens and its answer may have {answer}, but the model reads {reads} together"
    return f"{message}: lower Evaluation Max Tokens or the number of shots, or leave long samples out"


def _rendered(tokenizer: Any, messages: Sequence[Mapping[str, str]], *, opens_answer: bool) -> str:
    """The conversation as text.

    Raises:
        ValueError: the model has no chat template, or its template refuses the conversation.
    """
    if not tokenizer.chat_template:
        raise ValueError("the model has no chat template: write `- **Benchmark Chat Template:** no`")
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            chat_template=pinned_template(default_template(tokenizer.chat_template)),
            add_generation_prompt=opens_answer,
            continue_final_message=not opens_answer,
            tokenize=False,
        )
    except Exception as error:  # jinja's TemplateError and whatever a template's own code raises
        raise ValueError(f"the model's chat template refuses this conversation: {error}") from error
    return str(text)
