"""The tools of the MCP server that run and end jobs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from pydantic import Field

from tunebook import api
from tunebook.cli.run import preview_data
from tunebook.cli.served.answer import answer, refusal
from tunebook.cli.served.call import Call, followed
from tunebook.cli.served.documents import CancelDocument, RunDocument
from tunebook.cli.served.tools import Directory, OneStage, OneTool, Runs, answered, typed
from tunebook.cli.served.watched import Watched
from tunebook.core.jobs import JobState, Stage
from tunebook.errors import ExitCode, LockedError, TunebookError

__all__ = ["JobTools"]


class JobTools:
    """``run`` and ``cancel``, and the runs that this server watches."""

    def __init__(self) -> None:
        self._watched: list[Watched] = []

    @property
    def watched(self) -> Sequence[Call]:
        """The calls of the runs that have not ended."""
        self._watched = [one for one in self._watched if not one.call.has_ended]
        return [one.call for one in self._watched]

    def _of(self, experiment: Path) -> list[Watched]:
        return [one for one in self._watched if not one.call.has_ended and one.experiment == experiment]

    async def run(
        self,
        context: Context[Any, Any],
        *,
        directory: Directory = ".",
        runs: Runs = None,
        stage: OneStage = None,
        tool: OneTool = None,
        executor: Annotated[str, Field(description="`slurm`, `local` (this machine), or `auto`.")] = "auto",
        detach: Annotated[
            bool,
            Field(description="Answer as soon as jobs are submitted. The server keeps watching them; see `goes_on`."),
        ] = False,
        retry_failed: Annotated[bool, Field(description="Run jobs again that failed in an earlier run.")] = False,
        retry_oom: Annotated[
            bool, Field(description="Run trainings that ran out of GPU memory again with a smaller batch.")
        ] = False,
        repeat_completed: Annotated[
            bool, Field(description="Repeat completed work whose inputs have changed. Ask the person first.")
        ] = False,
        slots: Annotated[int | None, Field(ge=1, description="How many jobs run at a time.")] = None,
        max_jobs: Annotated[
            int | None, Field(ge=1, description="How many jobs are queued or running at a time.")
        ] = None,
        dry_run: Annotated[bool, Field(description="Return what would run and why; submit and write nothing.")] = False,
    ) -> RunDocument:
        """Run the jobs that are not completed: trainings, and each evaluation after its own training.

        Answers when all have ended, or at once with `detach`. Cancelling the request, or the end of this server, ends
        jobs on this machine (a later `run` resumes them); jobs of SLURM continue.
        """
        options = api.RunOptions(
            runs=tuple(runs or ()),
            stage=None if stage is None else Stage(stage),
            tool=tool,
            executor=executor,
            retry_failed=retry_failed,
            retry_oom=retry_oom,
            slots=slots,
            max_jobs=max_jobs,
        )
        if dry_run:
            return await answered(RunDocument, partial(_preview, Path(directory), options), context, "run", directory)
        found = await self._run(context, directory, options, repeats=repeat_completed, detach=detach)
        return typed(RunDocument, found)

    async def _run(
        self, context: Context[Any, Any], directory: str, options: api.RunOptions, *, repeats: bool, detach: bool
    ) -> Any:
        try:
            experiment = api.find_experiment(Path(directory))
        except TunebookError as error:
            return refusal(error)
        if self._of(experiment):
            hint = "`status` shows its jobs, `cancel` ends them"
            return refusal(LockedError(f"this server is already running {experiment}", hint=hint))
        watched = Watched(experiment, options, repeats=repeats)
        self._watched.append(watched)
        call = watched.call
        await followed(call, context, until=watched.has_submitted if detach else None)
        if call.error is not None:
            return refusal(call.error)
        return call.result if call.has_ended else watched.so_far()

    async def cancel(
        self, context: Context[Any, Any], *, directory: Directory = ".", runs: Runs = None
    ) -> CancelDocument:
        """End the queued and running jobs, and the run of this server that watches them. A later `run` resumes them."""
        work = partial(self._cancel, Path(directory), runs or ())
        return await answered(CancelDocument, work, context, "cancel", directory)

    def _cancel(self, directory: Path, runs: Sequence[str], _: Call) -> Any:
        experiment = api.find_experiment(directory)
        left: list[str] = []
        if not runs:  # a run that goes on would start the jobs that wait for a place
            for watched in self._of(experiment):
                watched.call.stop()
                watched.call.wait()
                left += watched.in_flight
        ended = [*api.cancel(experiment, runs=runs)]
        if left:
            completed = {job.job.name for job in api.status(experiment).jobs if job.state is JobState.COMPLETED}
            ended += [name for name in left if name not in completed]
        return answer(ExitCode.DONE, {"cancelled": list(dict.fromkeys(ended))})


def _preview(directory: Path, options: api.RunOptions, _: Call) -> Any:
    planned = preview_data(api.preview(directory, options))
    data = {"executor": "", "jobs": [], "counts_by_stage": {}, "submitted": [], "not_retried": [], "goes_on": ""}
    return answer(ExitCode.DONE, data | {"planned": planned})
