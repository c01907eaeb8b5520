# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contract every plan-based module keeps, as code: run a module in this process against moto and count its writing calls.

Usage::

    from tests.unit.plugins.modules import contract  # or: import contract

    def test_contract(aws):                      # aws: fixture below, a fresh moto account
        contract.keep(my_module, PARAMS, modified={**PARAMS, "description": "other"})
        contract.survive_kills(my_module, PARAMS)   # starts fresh accounts of its own
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import botocore.endpoint
import botocore.handlers
from ansible.module_utils.testing import patch_module_args
from ansible_collections.amazon.aws.plugins.module_utils import cloud, modules
from moto import mock_aws

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _plan, _retries
from wordpress_ha_rehearsal.emulator.testing import Emulator

READING = ("Describe", "Get", "List", "Head", "Search", "BatchGet", "Lookup")
Params = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One AWS call as botocore was about to send it."""

    service: str
    action: str
    params: Params

    @property
    def writing(self) -> bool:
        return not self.action.startswith(READING)

    def __str__(self) -> str:
        return f"{self.service}:{self.action}"


class Killed(BaseException):
    """Stands for a SIGKILL: nothing in a module may catch it."""


@dataclass
class Recorder:
    """What a run called; ``kill_before`` is the ordinal (from 0) of the writing call that is never sent."""

    calls: list[Call] = field(default_factory=list)
    kill_before: int | None = None

    @property
    def writing(self) -> list[Call]:
        return [call for call in self.calls if call.writing]

    def __call__(self, params: Params, model: Any, **_kwargs: Any) -> None:
        call = Call(model.service_model.service_name, model.name, copy.deepcopy(dict(params)))
        if call.writing and self.kill_before == len(self.writing):
            raise Killed(f"{call} {call.params}")
        self.calls.append(call)


_recorders: list[Recorder] = []


def _record(params: Params, model: Any, **kwargs: Any) -> None:
    for recorder in _recorders:
        recorder(params, model, **kwargs)


# After botocore filled in and before it validates and sends: every client that is created from now on reports here.
botocore.handlers.BUILTIN_HANDLERS.append(("before-parameter-build", _record))


_boto3_conn = modules.boto3_conn
_connections: dict[tuple[str, str, str | None], Any] = {}
#: The emulator that accounts are made in for now; None for moto in this process.
_emulator: Emulator | None = None


def _connect(
    _module: Any, conn_type: str, resource: str, region: str, endpoint: str | None = None, **options: Any
) -> Any:
    """Stand for amazon.aws's ``boto3_conn``: building an EC2 client takes half a second, and moto serves old ones too."""
    key = (resource, region, endpoint or os.environ.get("AWS_ENDPOINT_URL"))
    if key not in _connections:
        _connections[key] = _boto3_conn(_module, conn_type, resource, region, endpoint, **options)
    return _connections[key]


@dataclass
class Outcome:
    """What one module run returned and which calls it made."""

    result: Params
    calls: list[Call]

    @property
    def writing(self) -> list[str]:
        return [str(call) for call in self.calls if call.writing]

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))

    @property
    def facts(self) -> Params:
        """The result without what Ansible and the plan core add, and without what was sent: a second run sends nothing."""
        noise = ("changed", "diff", "actions", "request", "invocation", "warnings", "deprecations")
        return {key: value for key, value in self.result.items() if key not in noise}

    def sent(self, action: str) -> list[Params]:
        """Return the parameters of every call of one action."""
        return [call.params for call in self.calls if call.action == action]


class _Clock:
    """Time for ``_aws.wait_for``: sleeping costs nothing, and deadlines still come."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.1)


def run(module: ModuleType, params: Params, check: bool = False, kill_before: int | None = None) -> Outcome:
    """Run ``module.main()`` once. A failure is returned as an outcome, a kill is raised as ``Killed``."""
    recorder = Recorder(kill_before=kill_before)
    arguments = {
        **params,
        "_ansible_check_mode": check,
        "_ansible_diff": True,
        "_ansible_module_name": module.__name__.rsplit(".", maxsplit=1)[-1],
    }
    output = io.StringIO()
    clock = _Clock()
    _recorders.append(recorder)
    try:
        with (
            patch_module_args(arguments),
            contextlib.redirect_stdout(output),
            contextlib.suppress(SystemExit),
            mock.patch.object(modules, "boto3_conn", _connect),
            mock.patch.object(_aws, "time", SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep)),
            mock.patch.object(_retries, "time", SimpleNamespace(sleep=clock.sleep)),
            mock.patch.object(cloud, "time", SimpleNamespace(sleep=clock.sleep)),
        ):
            module.main()
    finally:
        _recorders.remove(recorder)
    return Outcome(json.loads(output.getvalue()), recorder.calls)


def succeed(module: ModuleType, params: Params, check: bool = False) -> Outcome:
    """Run once and insist on success; in check mode insist on no writing call as well."""
    outcome = run(module, params, check)
    assert not outcome.failed, outcome.result.get("msg")
    if check:
        assert outcome.writing == [], "check mode wrote"
    return outcome


def refuse(module: ModuleType, params: Params, *words: str) -> Outcome:
    """Run once and insist on a failure before any writing call, whose message contains all words."""
    outcome = run(module, params)
    assert outcome.failed, "not refused"
    assert outcome.writing == [], "refused only after writing"
    for word in words:
        assert word in outcome.result["msg"], outcome.result["msg"]
    return outcome


def shape(value: Any) -> Any:
    """Reduce a result to its keys and lengths, so that a prediction compares with the real thing."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "value" if value is not None else None


def converge(module: ModuleType, params: Params, changed: bool = True) -> Outcome:
    """Check, run, run again, check again: the prediction holds, the second run is silent. Returns the first real run."""
    predicted = succeed(module, params, check=True)
    real = succeed(module, params)
    again = succeed(module, params)
    settled = succeed(module, params, check=True)
    assert predicted.result["changed"] is changed
    assert real.result["changed"] is changed
    assert predicted.result["actions"] == real.result["actions"], "check mode predicted other actions"
    assert predicted.result["diff"] == real.result["diff"], "check mode predicted another diff"
    assert shape(predicted.facts) == shape(real.facts), "check mode predicted another result"
    assert _plan.is_known(real.facts), "a real run returned an unknown identifier"
    assert again.result["changed"] is False, again.result["actions"]
    assert again.writing == [], "an unchanged run wrote"
    assert again.facts == real.facts, f"the facts read back differ from the facts returned: {again.facts} {real.facts}"
    assert settled.result["changed"] is False
    return real


def keep(
    module: ModuleType,
    params: Params,
    modified: Params | None = None,
    absent: Params | None = None,
    left: Callable[[], Any] | None = None,
) -> Outcome:
    """Hold a module to the whole contract inside the current account; returns the first real run.

    :param modified: parameters of a second convergence, which must report a change.
    :param absent: parameters of the removal; by default ``params`` (or ``modified``) with ``state: absent``.
    :param left: called at the end; returns what remains of the module's resources, which must be nothing.
    """
    gathered = succeed(module, {**params, "state": "gathered"})
    assert gathered.result["changed"] is False
    assert gathered.writing == []
    first = converge(module, params)
    gathered = succeed(module, {**params, "state": "gathered"})
    assert gathered.writing == []
    assert gathered.facts == first.facts, "gathered returns other facts than present"
    if modified is not None:
        converge(module, modified)
    removal = absent or {**(modified or params), "state": "absent"}
    converge(module, removal)
    if left is not None:
        assert not left(), f"left behind: {left()}"
    return first


def survive_kills(module: ModuleType, params: Params, prepare: Callable[[], Params] | None = None) -> int:
    """Let every run die after one writing call, until one has nothing left to do; the same with the removal.

    So the state that a kill leaves behind is met once for each writing call, and each time the next run must go on from it.
    In the end there must be what an undisturbed run makes (compared by shape), and another run must change nothing.
    Returns the number of kills survived.

    :param prepare: called in each fresh account; returns parameters to add (identifiers of what it created).
    """
    with account():
        arguments = {**params, **(prepare() if prepare else {})}
        whole = succeed(module, arguments)
    with account():
        arguments = {**params, **(prepare() if prepare else {})}
        kills = _die_and_resume(module, arguments)
        resumed = succeed(module, arguments)
        assert resumed.result["changed"] is False, resumed.result["actions"]
        assert shape(resumed.facts) == shape(whole.facts), "killed runs ended in another result"
        removal = {**arguments, "state": "absent"}
        kills += _die_and_resume(module, removal)
        assert succeed(module, removal).result["changed"] is False
    return kills


@contextlib.contextmanager
def _answers_lost() -> Iterator[list[str]]:
    """Let each writing call, made for the first time, take effect and be answered by an error; yields which they were."""
    lost: list[str] = []
    seen: set[bytes] = set()
    original = botocore.endpoint.Endpoint._get_response

    def answered(self: Any, request: Any, operation: Any, context: Any) -> Any:
        success, exception = original(self, request, operation, context)
        call = f"{operation.service_model.service_name}:{operation.name}"
        body = request.body if isinstance(request.body, bytes) else str(request.body).encode()
        known = b" ".join([call.encode(), request.url.encode(), body])
        if operation.name.startswith(READING) or known in seen:
            return success, exception
        seen.add(known)
        lost.append(call)
        parsed = {"Error": {"Code": "InternalFailure", "Message": "lost"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
        return (success[0] if success else SimpleNamespace(status_code=500), parsed), None

    with mock.patch.object(botocore.endpoint.Endpoint, "_get_response", answered):
        yield lost


def survive_lost_answers(module: ModuleType, params: Params, prepare: Callable[[], Params] | None = None) -> list[str]:
    """Lose the answer of every writing call, of a first run and of the removal.

    The run must end as an undisturbed one does (compared by shape), say that it changed the same, and another run must find
    nothing to do: what it made is not made twice. Returns the calls whose answers were lost.
    """
    present: Params = {}
    absent: Params = {"state": "absent"}
    return [*_lose(module, params, prepare, (present,)), *_lose(module, params, prepare, (present, absent))]


def _lose(
    module: ModuleType, params: Params, prepare: Callable[[], Params] | None, steps: Sequence[Params]
) -> list[str]:
    """Take the steps in an account, and again in another, where every answer of the last step is lost."""

    def reach() -> Params:
        """Take all steps but the last in the current account; return the parameters of the last."""
        arguments = {**params, **(prepare() if prepare else {})}
        for step in steps[:-1]:
            succeed(module, {**arguments, **step})
        return {**arguments, **steps[-1]}

    with account():
        whole = succeed(module, reach())
    with account():
        arguments = reach()
        with _answers_lost() as lost:
            outcome = run(module, arguments)
        where = f"the answers of {', '.join(lost)} were lost"
        assert set(whole.writing) <= set(lost), f"{where}, and some calls were never made"
        assert not outcome.failed, f"{where}: {outcome.result.get('msg')}"
        assert _steps(outcome) == _steps(whole), f"{where}, and other changes were reported"
        assert shape(outcome.facts) == shape(whole.facts), f"{where}, and other facts were returned"
        again = succeed(module, arguments)
        assert again.result["changed"] is False, (where, again.result["actions"])
        assert shape(again.facts) == shape(whole.facts), f"{where}, and other facts were found"
    return lost


def _steps(outcome: Outcome) -> list[tuple[str, str]]:
    """Return the reported actions without identifiers that differ from account to account."""
    return [(one["action"], one["resource"].split("/", 1)[0]) for one in outcome.result["actions"]]


def _die_and_resume(module: ModuleType, params: Params, at_most: int = 200) -> int:
    """Kill a run before its first writing call, later runs before their second, until one ends; return the number of kills.

    A run may repeat a harmless call before it goes on. Where the same call is met again, the next run may make one more.
    """
    last, allowed = "", 0
    for kills in range(at_most):
        try:
            outcome = run(module, params, kill_before=allowed)
        except Killed as killed:
            allowed = allowed + 1 if str(killed) == last else 1
            last = str(killed)
            continue
        assert not outcome.failed, f"after {kills} kills: {outcome.result.get('msg')}"
        return kills
    raise AssertionError(
        f"{at_most} runs, each killed after a few writing calls, came to no end; the last before {last}"
    )


@dataclass(frozen=True)
class Emulated:
    """The emulator as tests see it: called with a service's name it returns a plain client."""

    emulator: Emulator

    def __call__(self, service: str) -> Any:
        return self.emulator.client(service)


@contextlib.contextmanager
def emulator_account(emulator: Emulator, monkeypatch: Any) -> Iterator[None]:
    """Empty the emulator, and lead modules and ``account`` to it, until the end."""
    global _emulator  # noqa: PLW0603  # survive_kills makes accounts without knowing where
    emulator.reset()
    with monkeypatch.context() as environment:
        for name, value in emulator.environment.items():
            environment.setenv(name, value)
        _emulator = emulator
        try:
            yield
        finally:
            _emulator = None


@contextlib.contextmanager
def account() -> Iterator[None]:
    """Give a fresh, empty account: the emulator's where a test uses ``emulated``, else moto's."""
    if _emulator is not None:
        _emulator.reset()
        yield
        return
    with mock_aws():
        yield
