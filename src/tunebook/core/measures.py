"""The direction of a measure: whether higher or lower values are better, which its name or the plan says."""

from __future__ import annotations

import re
from enum import Enum

__all__ = ["Direction", "direction_of", "is_error", "is_share", "is_unclear"]


class Direction(Enum):
    """Which values of a measure are better; without a direction nothing is best, and nothing improves."""

    HIGHER = "higher"
    LOWER = "lower"
    UNKNOWN = "unknown"


_LOWER = re.compile(
    r"(.*_)?(mae|mse|rmse|mape|brier(_score)?|ece|error|errors|error_rate|loss|nll|log_loss|logloss|perplexity|ppl|wer|cer|"
    r"bits_per_byte|byte_perplexity|word_perplexity|calibration_error)"
)
_SHARE = re.compile(
    r"(.*_)?(accuracy|acc|acc_norm|exact|exact_match|match|includes|choice|correct|correctness|incorrect|"
    r"pass@\d+|pass_at_\d+|recall|precision|coverage|parse_rate)"
)
_HIGHER = re.compile(r"(.*_)?(f1|auc|roc_auc|auroc|r2|r_squared|r²|bleu|chrf|rouge([l12]|lsum)?|mcc|kappa)")
_UNCLEAR = re.compile(
    r"(.*_)?(toxic(ity)?|harm(ful(ness)?)?|bias(ed)?|refus(al|ed|es)|hallucinat(ion|ed|es)|stereotypes?|violations?|"
    r"flagged|leak(age|ed|s)?|risk(_score)?|length|tokens|count)(_rate)?"
)


def direction_of(name: str) -> Direction:
    """The direction that a measure's name tells; ``scorer/key`` is judged by its key, then by its scorer."""
    for part in _parts(name):
        if _LOWER.fullmatch(part):
            return Direction.LOWER
        if _HIGHER.fullmatch(part) or _SHARE.fullmatch(part):
            return Direction.HIGHER
    return Direction.UNKNOWN


def is_share(name: str) -> bool:
    """Whether the name is that of a proportion of samples, such as an accuracy."""
    return any(map(_SHARE.fullmatch, _parts(name)))


def is_error(name: str) -> bool:
    """Whether the name is that of an error or a loss: a number, even where all its values are 0 and 1."""
    return any(map(_LOWER.fullmatch, _parts(name)))


def is_unclear(name: str) -> bool:
    """Whether 1 may be the worse answer although it is logged like a grade, as in a score of toxicity."""
    return any(map(_UNCLEAR.fullmatch, _parts(name)))


def _parts(name: str) -> list[str]:
    """The parts of ``scorer/key`` as words with underscores, the last one first."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[\s\-]+", "_", name).lower()
    return words.split("/")[::-1]
