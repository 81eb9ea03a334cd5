"""Talks to the server that vLLM runs for evaluations: its adapters, answers to token ids, and log-probabilities.

A service is described by a file that :mod:`tunebook.tools.runtime.vllm_server` writes once the server is ready, and
again when it has ended. Prompts are sent as token ids, so that the server renders none.

Runs inside jobs, and needs nothing else of tunebook. The HTTP library is imported inside the functions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

__all__ = ["Answer", "Client", "ServedError", "Service", "read_service", "wait_for_service"]

_REQUEST_S = 3600.0  # one answer of a large model on a busy server; the job's time limit is the real bound
_CONNECT_S = 30.0
_ENDED_S = 5.0  # the time within which the end of the server is recorded after a connection broke
_POLL_S = 0.2


class ServedError(Exception):
    """The server is missing, has ended, or does not do what it was asked for; one line."""


@dataclass(frozen=True)
class Service:
    """A server that is ready.

    Attributes:
        url: its address on this machine, without a path.
        key: the secret that every request carries.
        model: the name under which it serves the whole model.
        path: the directory of that model.
        precision: of the model's weights, ``bf16`` or ``fp32``.
        longest: the most tokens of prompt and answer together.
        max_rank: the highest rank of adapters; 0 if it serves none.
        version: of vLLM.
    """

    url: str
    key: str
    model: str
    path: str
    precision: str
    longest: int
    max_rank: int
    version: str


def read_service(file: Path) -> Service:
    """The service that a file describes.

    Raises:
        ServedError: the server has ended, or the file cannot be read.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ServedError(f"the description of the server, {file}, cannot be read: {error}") from None
    ended = values.pop("ended", "")
    if ended:
        raise ServedError(f"the server has ended: {ended}")
    return Service(**values)


def wait_for_service(file: Path, *, seconds: float) -> Service:
    """Waits for the file that describes the service.

    Raises:
        ServedError: the server ended before it was ready, or the time is over.
    """
    end = time.monotonic() + seconds
    while not file.exists():
        if time.monotonic() > end:
            raise ServedError(f"the server was not ready after {seconds:.0f} s")
        time.sleep(_POLL_S)
    return read_service(file)


@dataclass(frozen=True)
class Answer:
    """The answer to one prompt.

    Attributes:
        tokens: the ids that were generated, with the one that ended the answer.
        reason: why it ended: ``stop`` or ``length``.
    """

    tokens: list[int]
    reason: str


class Client:
    """Requests to one service, also from several threads at once.

    Args:
        file: the description of the service, which says why it has ended once a connection breaks.
    """

    def __init__(self, file: Path, *, connections: int = 8) -> None:
        import httpx

        self.service = read_service(file)
        self._file = file
        self._http = httpx.Client(
            base_url=self.service.url,
            headers={"Authorization": f"Bearer {self.service.key}"},
            timeout=httpx.Timeout(_REQUEST_S, connect=_CONNECT_S),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            trust_env=False,  # a proxy of the cluster must not get requests to this machine
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def load_adapter(self, name: str, directory: Path) -> None:
        """Makes the server load an adapter under a name that it does not know yet.

        Raises:
            ServedError: the server refuses it; the message has its reason.
        """
        if self._post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(directory)}, whole=False) is None:
            raise ServedError(f"the server refuses the adapter {directory}")
        listed = {model["id"]: model for model in self._get("/v1/models")["data"]}
        root = str(listed.get(name, {}).get("root"))
        if root != str(directory):
            raise ServedError(f"the server lists {root} instead of the adapter {directory}, which it was asked to load")

    def unload_adapter(self, name: str) -> None:
        """Makes the server forget an adapter.

        Raises:
            ServedError: the server has ended, or knows no such adapter.
        """
        self._post("/v1/unload_lora_adapter", {"lora_name": name}, whole=False)

    def complete(self, model: str, prompt: Sequence[int], settings: Mapping[str, Any]) -> Answer:
        """Continues a prompt.

        Args:
            model: the name of the whole model or of an adapter.
            prompt: token ids.
            settings: those of vLLM's completions.

        Raises:
            ServedError: the server refuses the request, has ended, or answered another request than this one.
        """
        choice = self._choice(model, prompt, settings)
        return Answer([int(token) for token in choice["token_ids"]], str(choice["finish_reason"]))

    def log_probabilities(self, model: str, tokens: Sequence[int]) -> list[float]:
        """The natural logarithm of each token's probability after those before it; of all but the first token.

        Raises:
            ServedError: as for :meth:`complete`.
        """
        settings = {"max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
        found = self._choice(model, tokens, settings).get("prompt_logprobs") or []
        if len(found) != len(tokens):
            raise ServedError(f"the server gives {len(found)} log-probabilities for {len(tokens)} tokens")
        return [float(entry[str(token)]["logprob"]) for token, entry in zip(tokens[1:], found[1:], strict=True)]

    def _choice(self, model: str, prompt: Sequence[int], settings: Mapping[str, Any]) -> dict[str, Any]:
        body = {"model": model, "prompt": list(prompt), "return_token_ids": True, **settings}
        document = self._post("/v1/completions", body)
        if document["model"] != model:
            raise ServedError(f"the server answers with the model {document['model']} instead of {model}")
        (choice,) = document["choices"]
        if choice["prompt_token_ids"] != list(prompt):
            raise ServedError("the server answers another prompt than the one that it was sent")
        answer: dict[str, Any] = choice
        return answer

    def _get(self, path: str) -> Any:
        return self._asked("GET", path, None).json()

    def _post(self, path: str, body: Mapping[str, Any], *, whole: bool = True) -> Any:
        response = self._asked("POST", path, body)
        return response.json() if whole else response.text

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        import httpx

        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise ServedError(self._reason(f"{type(error).__name__}: {error}")) from None
        if response.is_success:
            return response
        raise ServedError(f"the server refuses a request ({path}, {response.status_code}): {_message(response)}")

    def _reason(self, error: str) -> str:
        """Why a connection broke: the recorded end of the server, if it has ended."""
        end = time.monotonic() + _ENDED_S
        while time.monotonic() < end:
            try:
                read_service(self._file)
            except ServedError as ended:
                return str(ended)
            time.sleep(_POLL_S)
        return f"the server at {self.service.url} does not answer ({error})"


def _message(response: Any) -> str:
    """VLLM's own message in an answer that is an error."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return str(response.text)[:300]
    if isinstance(error, dict):
        error = error.get("message", "")
    return str(error)[:300]
