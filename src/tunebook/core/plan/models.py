"""``### Models``: where each model is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from tunebook.core.markdown import Bullet, code_span, escape_text, fact_line
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.values import Model, Plan

__all__ = ["ModelsSection"]

_LISTS = {"models used", "model used", "models"}
_PATHS = {"path", "location", "directory"}


class ModelsSection(Section):
    """The directory of all models, and a bullet ``NAME: PATH`` for each; the path may be a bullet below the name."""

    title = "Models"
    aliases = ("model",)
    decides = True
    stands_alone = True
    names = ("Location", "Models Used")
    remarks = frozenset({"size", "disk space", "verified", "status", "parameters", "license", "description", "source"})

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        models: list[Model] = []
        location = ""
        named: Bullet | None = None
        for bullet in source.bullets:
            has_value = not bullet.value.is_empty
            is_below = bullet.depth > 0 and bullet.groups[-1] not in _LISTS
            if is_below and named is not None and bullet.key in _PATHS and has_value:
                source.take(named)
                source.take(bullet)
                models.append(_model(named.name, bullet, source))
            elif is_below or not bullet.name:
                continue
            elif bullet.key in _LISTS and not has_value:
                source.take(bullet)
            elif bullet.key == "location":
                source.bullet("location")
                location = location or source.path(bullet.value, "Location")
            elif has_value and bullet.key not in _LISTS:
                source.take(bullet)
                models.append(_model(bullet.name, bullet, source))
            else:
                named = bullet
        return replace(plan, models=tuple(models), models_location=location or None)

    def write(self, target: Writing) -> Iterator[str]:
        models = target.plan.models
        if not models:
            return
        parents = {str(PurePosixPath(model.path).parent) for model in models}
        if target.plan.models_location:
            yield fact_line("Location", code_span(target.plan.models_location))
        elif len(parents) == 1:
            yield fact_line("Location", code_span(parents.pop()))
        yield "- **Models Used:**"
        for model in models:
            tick = target.tick(model.path, " ✓ verified")
            yield f"  - {escape_text(model.name)}: {code_span(model.path)}{tick}"


def _model(name: str, bullet: Bullet, source: SectionReader) -> Model:
    return Model(name, source.path(bullet.value, f"the path of model `{name}`:"), bullet.line)
