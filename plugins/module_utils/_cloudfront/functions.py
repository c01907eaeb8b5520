# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of the module cloudfront_function: a stage to write, and a stage that visitors get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .. import _aws, _plan
from . import lint, named, policies

DEVELOPMENT = "DEVELOPMENT"
LIVE = "LIVE"
OPTION_OF = {"Name": "name", "FunctionCode": "code", "Comment": "comment", "Runtime": "runtime"}


@dataclass
class Stage:
    """One stage as CloudFront holds it."""

    etag: str
    config: dict[str, Any]
    code: bytes

    def fields(self) -> _plan.Fields:
        """Return what can be compared and shown; the code as lines, so that a diff is one."""
        stores = policies.items(self.config.get("KeyValueStoreAssociations"))
        return {
            "runtime": self.config["Runtime"],
            "comment": self.config.get("Comment", ""),
            "key_value_stores": sorted(store["KeyValueStoreARN"] for store in stores),
            "code": self.code.decode(errors="replace").split("\n"),
        }


class Function(_aws.Planned):
    """``function/<name>`` is what is written, ``live/<name>`` what is published."""

    order = ("function", "live")

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.name = self.params["name"]
        self.what = f"function {self.name}"
        self.api = self.client("cloudfront", region=named.REGION)
        self.arn: str | None = None
        self.stage: Stage | None = None
        self.request: dict[str, Any] | None = None

    def read(self) -> _plan.Tree:
        self.stage = self._stage(DEVELOPMENT)
        if self.stage is None:
            return {}
        tree = {f"function/{self.name}": self.stage.fields()}
        if self.params["state"] == "absent":
            named.refuse_used(self.api, self.what, str(self.arn))
            self.request = {"Name": self.name, "IfMatch": self.stage.etag}
        elif live := self._stage(LIVE):
            tree[f"live/{self.name}"] = live.fields()
        return tree

    def _stage(self, stage: str) -> Stage | None:
        try:
            found = self.api.describe_function(Name=self.name, Stage=stage, aws_retry=True)
            code = self.api.get_function(Name=self.name, Stage=stage, aws_retry=True)["FunctionCode"]
        except is_boto3_error_code("NoSuchFunctionExists"):
            return None
        summary = found["FunctionSummary"]
        self.arn = summary["FunctionMetadata"]["FunctionARN"]
        return Stage(found["ETag"], summary["FunctionConfig"], code if isinstance(code, bytes) else code.read())

    def desired(self, current: _plan.Tree) -> _plan.Tree:
        wanted = self._wanted()
        self.request = self._write_of(wanted)
        tree = {f"function/{self.name}": wanted.fields()}
        if self.params["publish"]:
            tree[f"live/{self.name}"] = wanted.fields()
            if self.request is None and current.get(f"live/{self.name}") != wanted.fields():
                self.request = {"Name": self.name, "IfMatch": wanted.etag}
        return tree

    def _wanted(self) -> Stage:
        """Return what DEVELOPMENT is to hold: what it holds now with the given options, linted."""
        now = self.stage or Stage("", {"Comment": "", "Runtime": "cloudfront-js-2.0"}, b"")
        given, code = self.params, self.params["code"]
        if code is None and self.stage is None:
            raise _plan.Refused(f"code is not set, and there is no function {self.name} yet: give its code.")
        config = dict(now.config)
        for option, key in (("comment", "Comment"), ("runtime", "Runtime")):
            if given[option] is not None:
                config[key] = given[option]
        if given["key_value_stores"] is not None:
            stores = [{"KeyValueStoreARN": arn} for arn in sorted(set(given["key_value_stores"]))]
            if sorted(given["key_value_stores"]) != now.fields()["key_value_stores"]:
                config["KeyValueStoreAssociations"] = policies.listed(stores)
        wanted = Stage(now.etag, config, now.code if code is None else code.encode())
        found = lint.function(self.name, config, wanted.code.decode(errors="replace"))
        named.findings(
            self.module, found, given["lint_ignore"], lambda path: OPTION_OF.get(str(path[-1]), str(path[-1]))
        )
        return wanted

    def _write_of(self, wanted: Stage) -> dict[str, Any] | None:
        """Return the parameters of the call that writes DEVELOPMENT, the code as text; None if it is so already."""
        if self.stage is not None and self.stage == wanted:
            return None
        match = {} if self.stage is None else {"IfMatch": self.stage.etag}
        code = wanted.code.decode(errors="replace")
        return {"Name": self.name, **match, "FunctionConfig": wanted.config, "FunctionCode": code}

    def _send(self, operation: Any, wanted: Stage) -> None:
        answer = operation(**{**(self.request or {}), "FunctionCode": wanted.code}, aws_retry=True)
        self.arn = answer["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]
        self.stage = Stage(answer["ETag"], wanted.config, wanted.code)

    def _create_function(self, _change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        self._send(self.api.create_function, self._wanted())
        return {}

    def _update_function(self, _change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        def send() -> None:
            self._send(self.api.update_function, self._wanted())

        named.while_current(self.what, send, self._again)
        return self.stage.fields() if self.stage else {}

    def _again(self) -> bool:
        """Read and plan DEVELOPMENT anew; return whether it is to be written."""
        self.stage = self._stage(DEVELOPMENT)
        if self.stage is None:
            raise _plan.Refused(f"The {self.what} was removed while this run changed it. Run again to make it anew.")
        written, self.request = self.request, self._write_of(self._wanted())
        if self.request is None:
            self.request = written
            return False
        return True

    def _publish(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        def send() -> None:
            etag = self.stage.etag if self.stage else ""
            self.api.publish_function(Name=self.name, IfMatch=etag, aws_retry=True)

        def again() -> bool:
            # Somebody wrote between our write and its publishing: what goes live is what was asked for.
            if self._again():
                self._update_function(change, tree)
            return True

        named.while_current(self.what, send, again)
        return self.stage.fields() if self.stage else {}

    _create_live = _update_live = _publish

    def _delete_function(self, _change: _plan.Change, _tree: _plan.Tree) -> _plan.Fields:
        def send() -> None:
            try:
                self.api.delete_function(**(self.request or {}), aws_retry=True)
            except is_boto3_error_code("NoSuchFunctionExists"):
                pass

        def again() -> bool:
            self.stage = self._stage(DEVELOPMENT)
            self.request = {"Name": self.name, "IfMatch": self.stage.etag} if self.stage else None
            return self.stage is not None

        try:
            named.while_current(self.what, send, again)
        except is_boto3_error_code("FunctionInUse"):
            named.refuse_used(self.api, self.what, str(self.arn))
            raise
        return {}

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        fields = tree.get(f"function/{self.name}")
        predicted = self.module.check_mode and "FunctionCode" in (self.request or {})
        etag = _plan.UNKNOWN if predicted else self.stage and self.stage.etag
        return {
            "name": self.name,
            "arn": None if fields is None else self.arn or _plan.UNKNOWN,
            "etag": None if fields is None else etag,
            "published": fields is not None and tree.get(f"live/{self.name}") == fields,
            "settings": None if fields is None else {name: fields[name] for name in fields if name != "code"},
            "request": self.request,
        }
