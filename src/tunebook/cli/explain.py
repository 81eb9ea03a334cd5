"""``tunebook explain``: what a kind of errors means, and what to do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.complete import complete_error
from tunebook.cli.options import Json
from tunebook.cli.output import console, print_json, print_table
from tunebook.core.error_pages import ERROR_PAGES
from tunebook.errors import ExitCode

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def explain(
        code: Annotated[
            str | None,
            typer.Argument(
                help="The kind of errors, as messages name it. [default: list all]", autocompletion=complete_error
            ),
        ] = None,
        *,
        as_json: Json = False,
    ) -> None:
        """Explain a kind of errors: what it means, and what to do."""
        pages = [api.explain(code)] if code is not None else list(ERROR_PAGES.values())
        if as_json:
            print_json("explain", ExitCode.DONE, {"errors": [_data(page) for page in pages]})
        elif code is None:
            _show_all(pages)
        else:
            _show(pages[0])


def _data(page: api.ErrorPage) -> dict[str, Any]:
    exit_code = None if page.exit_code is None else int(page.exit_code)
    texts = {"title": page.title, "meaning": page.meaning, "steps": list(page.steps), "page": page.reference}
    return {"code": page.code, "exit_code": exit_code, **texts}


def _show(page: api.ErrorPage) -> None:
    out = console()
    ending = "" if page.exit_code is None else f" (exit code {int(page.exit_code)})"
    out.print(f"{page.code}: {page.title}{ending}\n\n{page.meaning}\n", markup=False)
    for step in page.steps:
        out.print(f"  • {step}", markup=False)


def _show_all(pages: list[api.ErrorPage]) -> None:
    rows = [(page.code, "-" if page.exit_code is None else str(int(page.exit_code)), page.title) for page in pages]
    print_table(rows, ("Code", "Exit code", "What happened"))
