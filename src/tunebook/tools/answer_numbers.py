"""Reads numbers in answers as tasks do inside jobs, for the rooms that read what jobs leave behind."""

from __future__ import annotations

from tunebook.tools.runtime.answer_numbers import first_number, number_of

__all__ = ["first_number", "number_of"]
