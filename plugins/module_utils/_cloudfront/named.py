# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of everything CloudFront keeps by name with an ETag: policies, origin access controls, VPC origins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .. import _plan
from .._aws import Planned
from . import lint, model, policies

#: CloudFront is one service for all regions, signed for this one.
REGION = "us-east-1"
#: An ETag that is no longer current: somebody else wrote since it was read.
CONFLICT = ("PreconditionFailed", "InvalidIfMatchVersion")
ATTEMPTS = 5


def part(**options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the argument spec of an option that holds others."""
    return {"type": "dict", "options": options}


def choice(*behaviors: str) -> dict[str, Any]:
    """Return the argument spec of a choice among headers, cookies or query strings."""
    return part(behavior={"type": "str", "choices": list(behaviors)}, names={"type": "list", "elements": "str"})


#: Options of every module of this family, of those that are judged before they are written, and of those about requests.
SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
}
LINTED_SPEC: dict[str, Any] = {
    **SPEC,
    "comment": {"type": "str"},
    "lint_ignore": {"type": "list", "elements": "str", "default": []},
}
REQUEST_SPEC: dict[str, Any] = {
    "cookies": choice("none", "whitelist", "allExcept", "all"),
    "query_strings": choice("none", "whitelist", "allExcept", "all"),
}


def pages(operation: Callable[..., Any], key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    """Yield the entries of all pages of a CloudFront list; botocore has no paginators for most of them."""
    more: dict[str, Any] = {}
    while True:
        page = operation(**arguments, **more, aws_retry=True)[key]
        yield from page.get("Items") or []
        if not page.get("NextMarker"):
            return
        more = {"Marker": page["NextMarker"]}


def users(client: Any, value: str) -> list[str]:
    """Return, in words, the distributions whose configuration mentions an id or ARN, and in which options. One call per 100."""
    found = []
    for one in pages(client.list_distributions, "DistributionList"):
        where = [model.option_path(path) for path in policies.mentions(one, value)]
        if where:
            aliases = ", ".join(policies.items(one.get("Aliases"))) or one.get("Comment") or one.get("DomainName")
            found.append(f"distribution {one['Id']} ({aliases}) in {', '.join(where)}")
    return found


def refuse_used(client: Any, what: str, value: str) -> None:
    """Raise ``Refused`` when a distribution uses the resource with this id or ARN."""
    found = users(client, value)
    if found:
        raise _plan.Refused(f"The {what} is in use by {'; '.join(found)}. Take it away there first, then remove it.")


def while_current(what: str, send: Callable[[], Any], again: Callable[[], bool]) -> Any:
    """Send a write that names an ETag; while AWS answers that it is stale, let ``again`` read and plan anew, 5 times at most.

    ``again`` returns whether there is still something to write. :raises Refused: it changed all the time.
    """
    for _attempt in range(ATTEMPTS):
        try:
            return send()
        except is_boto3_error_code(list(CONFLICT)):
            if not again():
                return None
    raise _plan.Refused(
        f"The {what} was changed by somebody else {ATTEMPTS} times while this run tried to write it. "
        "Find who else writes it, then run again."
    )


def findings(
    module: AnsibleAWSModule,
    found: list[Any],
    ignored: list[str] | None,
    path: Callable[[Any], str],
    before: Iterable[Any] = (),
) -> None:
    """Refuse what the lint found, all in one message; what is ignored, or was found ``before`` as well, becomes a warning."""
    known = {(finding.rule, str(finding.value)) for finding in before}
    refused = []
    for finding in found:
        text = finding.message(path(finding.path))
        if finding.rule in (ignored or ()):
            module.warn(text)
        elif (finding.rule, str(finding.value)) in known:
            module.warn(f"{text} It was so before and is left as it is.")
        else:
            refused.append(text)
    if refused:
        raise _plan.Refused("\n".join(refused))


class Named(Planned):
    """One resource, ``<operation>/<name>``, whose fields are the options of its kind."""

    kind: policies.Kind

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.order = (self.kind.operation,)
        self.name = self.params["name"]
        self.key = f"{self.kind.operation}/{self.name}"
        self.what = f"{self.kind.label} {self.name}"
        self.api = self.client("cloudfront", region=REGION)
        self.id: str | None = None
        self.etag: str | None = None
        self.wire: policies.Wire | None = None
        self.answer: policies.Wire = {}
        self.request: dict[str, Any] | None = None

    # Reading

    def read(self) -> _plan.Tree:
        state = self.params["state"]
        self._find(state)
        if self.id is None or not self._fetch():
            return {}
        if state == "absent":
            refuse_used(self.api, self.what, self.id)
            self.request = {"Id": self.id, "IfMatch": self.etag}
        return {self.key: self.fields()}

    def _find(self, state: str) -> None:
        """Learn the id from the list of all; refuse AWS's own unless only facts are asked for."""
        theirs: tuple[str, str] | None = None
        for summary in self._summaries():
            identity, name, managed = self.kind.identify(summary)
            if not managed and name == self.name:
                self.id = identity
                return
            if managed and policies.same_name(name, self.name):
                theirs = identity, name
        if theirs and state != "gathered":
            raise _plan.Refused(
                f"name is {self.name!r}: the {self.kind.label} {theirs[1]} is AWS's own, which nobody can change or remove. "
                "Refer to it by its name where it is wanted, or choose another name for yours."
            )
        self.id = theirs[0] if theirs else None

    def _summaries(self) -> Iterable[dict[str, Any]]:
        """Return the list of all of this kind, read once for all families of a run that has several."""
        shared: dict[str, Any] | None = getattr(self.module, "shared", None)
        if shared is None:
            return pages(getattr(self.api, self.kind.listing), self.kind.listed)
        if self.kind.listing not in shared:
            shared[self.kind.listing] = list(pages(getattr(self.api, self.kind.listing), self.kind.listed))
        return list(shared[self.kind.listing])

    def _fetch(self) -> bool:
        """Read the configuration with its ETag; False when it is gone."""
        try:
            found = self._call("get", Id=self.id)
        except is_boto3_error_code(list(self.kind.missing)):
            self.id = self.etag = self.wire = None
            return False
        self._keep(found)
        return True

    def _keep(self, answer: policies.Wire) -> None:
        self.answer = answer[self.kind.resource]
        self.id, self.etag, self.wire = self.answer["Id"], answer["ETag"], self.answer[self.kind.config]

    def _call(self, verb: str, **arguments: Any) -> Any:
        return getattr(self.api, f"{verb}_{self.kind.operation}")(**arguments, aws_retry=True)

    def fields(self) -> _plan.Fields:
        """Return the fields of the resource as it is now."""
        settings = policies.options(self.kind, self.wire or {})
        return {"id": self.id, **{name: value for name, value in settings.items() if name != "name"}}

    # Planning

    def given(self) -> dict[str, Any]:
        """Return the options to write; a subclass may add what follows from others."""
        return {**self.params, "name": (self.wire or {}).get("Name", self.name)}

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        wire = self._wanted()
        self.request = self._request(wire)
        fields = policies.options(self.kind, wire)
        return {self.key: {name: value for name, value in fields.items() if name != "name"}}

    def _wanted(self) -> policies.Wire:
        """Return the configuration to write, linted."""
        try:
            wire = policies.patched(self.kind, self.wire, self.given())
        except policies.Invalid as error:
            raise _plan.Refused(str(error)) from error
        check = getattr(lint, self.kind.operation, None)
        found = check(wire) if check and _plan.is_known(wire) else []
        findings(self.module, found, self.params.get("lint_ignore"), lambda path: policies.option_path(self.kind, path))
        return wire

    def _request(self, wire: policies.Wire) -> dict[str, Any] | None:
        """Return the parameters of the write that leads to a configuration, None if there is nothing to write."""
        if self.wire is None:
            return {self.kind.config: wire, **self.further()}
        if policies.options(self.kind, wire) == policies.options(self.kind, self.wire):
            return None
        return {self.kind.config: wire, "Id": self.id, "IfMatch": self.etag}

    def further(self) -> dict[str, Any]:
        """Return what a creation takes besides the configuration."""
        return {}

    # Writing

    def handlers(self) -> Mapping[str, _plan.Handler]:
        operation = self.kind.operation
        return {
            f"create {operation}": self._create,
            f"update {operation}": self._update,
            f"delete {operation}": self._delete,
        }

    def _create(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        try:
            self._keep(self._call("create", **(self.request or {})))
        except is_boto3_error_code(list(self.kind.taken)):
            # An earlier answer was lost, or another run was faster: go on from what is there.
            (getattr(self.module, "shared", None) or {}).clear()
            self._find("present")
            if self.id is None:
                raise
            return self._update(change, tree) if self._again() else self.fields()
        return self.fields()

    def _update(self, _change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        def send() -> None:
            self._keep(self._call("update", **(self.request or {})))

        if self.request is not None:
            self._refusing_used(lambda: while_current(self.what, send, self._again))
        return self.fields()

    def _again(self) -> bool:
        """Read and plan anew; return whether something is left to write."""
        if not self._fetch():
            raise _plan.Refused(f"The {self.what} was removed while this run changed it. Run again to make it anew.")
        self.request = self._request(self._wanted())
        return self.request is not None

    def _delete(self, _change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        def again() -> bool:
            there = self._fetch()
            self.request = {"Id": self.id, "IfMatch": self.etag} if there else None
            return there

        def send() -> None:
            try:
                self._call("delete", **(self.request or {}))
            except is_boto3_error_code(list(self.kind.missing)):
                pass

        self._refusing_used(lambda: while_current(self.what, send, again))
        return {}

    def _refusing_used(self, write: Callable[[], Any]) -> None:
        try:
            write()
        except is_boto3_error_code(list(self.kind.in_use)) as error:
            found = "; ".join(users(self.api, str(self.id))) or "a distribution that AWS does not list"
            raise _plan.Refused(
                f"AWS neither changes nor removes the {self.what} while it is in use by {found}. Take it away there first."
            ) from error

    # Reporting

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        fields = tree.get(self.key)
        settings = None if fields is None else {name: value for name, value in fields.items() if name != "id"}
        etag = _plan.UNKNOWN if self.module.check_mode and self.request else self.etag
        return {
            "name": self.name,
            "id": None if fields is None else fields.get("id", _plan.UNKNOWN),
            "etag": None if fields is None else etag,
            "settings": settings,
            "request": self.request,
        }
