# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resource family of a whole distribution: found by our tag or its id, made, changed, tagged, and removed."""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .. import _aws, _owned, _plan
from . import api, current, edit, waiters
from .model import DISTRIBUTION, Wire, items
from .named import while_current


class Distribution(edit.Distributed):
    """``distribution/<name>`` with its origins, behaviors ..., and its tags."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        super().__init__(module)
        self.label = self.params["name"] or self.params["distribution_id"]
        self.given = {field.option: self.params[field.option] for field in DISTRIBUTION}
        self.arn: str | None = None
        self.domain_name: str | None = None
        self.tags: dict[str, str] = {}
        self.tags_after: dict[str, str] = {}
        # A creation that AWS answered and the network lost must not make a second distribution.
        self.caller_reference = f"wordpress_ha/{self.params['name']}"

    # Reading

    def read(self) -> _plan.Tree:
        identifier = self.params["distribution_id"]
        if identifier is None:
            self._find()
        elif _plan.is_known(identifier):
            self.id = identifier
            if not self.fetch():
                self.id = None
        if self.id is None:
            if identifier is not None and self.params["state"] == "present" and not self.module.check_mode:
                raise _plan.Refused(
                    f"distribution_id is {identifier!r}: the account has no such distribution. Give name to create one."
                )
            return {}
        if identifier is not None:
            self.tags = api.tags(self.api, str(self.arn))
        deleting = self.params["state"] == "absent"
        _owned.refuse_foreign(f"The distribution {self.label}", self.tags, self.params["tags"], deleting)
        self.tags_after = self.tags
        return current.tree(self.config, self.label)

    def _find(self) -> None:
        """Find the distribution that carries our name; tags of one that was just removed may still be listed."""
        found = {}
        for arn, tags in api.named(self.tagging(), self.params["name"]).items():
            self.id = arn.rsplit("/", 1)[-1]
            if self.fetch():
                found[self.id] = tags
        if len(found) > 1:
            raise _plan.Refused(
                f"name is {self.params['name']!r}, and {', '.join(sorted(found))} all carry it in the tag {api.NAME_TAG}: "
                "give the distribution_id of one of them, or remove the tag from the others."
            )
        self.id = next(iter(found), None)
        self.tags = found.get(self.id, {}) if self.id else {}

    def fetch(self) -> bool:
        found = api.read(self.api, str(self.id))
        if found is not None:
            self.keep(found)
        return found is not None

    def keep(self, answer: dict[str, Any]) -> None:
        super().keep(answer)
        self.arn, self.domain_name = answer["Distribution"]["ARN"], answer["Distribution"]["DomainName"]

    # Planning

    def changes(self, tree: _plan.Tree) -> list[_plan.Change]:
        if self.params["state"] == "gathered":
            return []
        if self.params["state"] == "absent":
            return self._removal(tree)
        options = dict(self.given)
        if options["origins"] is not None:
            options["origins"] = api.with_secrets(self.module, self._secrets_client, options["origins"])
        self.wanted = self.wish(options)
        if self.id is None and self.params["distribution_id"] is not None:
            return self.unread(self.wanted)
        changes = self.changes_of(self.planned())
        return [*changes, *self._tag_changes()]

    def _secrets_client(self, region: str | None) -> Any:
        return self.client("secretsmanager", region=region)

    def planned(self) -> edit.Plan:
        wanted = self.wanted
        if self.id is None:
            wanted = {"comment": self.params["name"], **wanted}
        config = self.config if self.id is not None else None
        return edit.planned(config, wanted, self.label, caller_reference=self.caller_reference)

    def changes_of(self, made: edit.Plan) -> list[_plan.Change]:
        changes = super().changes_of(made)
        if self.id is None:
            self.request = {
                "DistributionConfigWithTags": {
                    "DistributionConfig": made.after,
                    "Tags": {"Items": _aws.tags_to_list(self._wanted_tags())},
                }
            }
        return changes

    def surroundings(self, after: Wire) -> dict[str, Any]:
        """Have the certificate looked at where it, or a name it must fit, is among what is asked for."""
        arn = (after.get("ViewerCertificate") or {}).get("ACMCertificateArn")
        asked = self.params["certificate_arn"] is not None or self.params["aliases"] is not None
        if not arn or not asked or not _plan.is_known(arn) or arn.count(":") < 5:
            return {}
        found = api.certificate(self.client("acm", region=arn.split(":")[3]), arn)
        return {"certificates": {arn: found}} if found else {}

    def _wanted_tags(self) -> dict[str, str]:
        given, name = self.params["tags"], self.params["name"]
        if name is None:
            wanted = _aws.merged_tags(self.tags, given, self.params["purge_tags"])
        else:
            # A new one gets its names even if no tags are given.
            tags = {} if given is None and self.id is None else given
            wanted = _owned.wanted_tags(name, self.tags, tags, self.params["purge_tags"])
        result = dict(self.tags) if wanted is None else {key: str(value) for key, value in wanted.items()}
        # Our name stays, even where tags are purged, so that the distribution is found again.
        mark = name or self.tags.get(api.NAME_TAG)
        return {**result, api.NAME_TAG: mark} if mark else result

    def _tag_changes(self) -> list[_plan.Change]:
        self.tags_after = self._wanted_tags()
        key = f"tags/{self.label}"
        if self.id is None:
            return [_plan.Change(_plan.CREATE, key, {}, self.tags_after)]
        adding, removing = _owned.tag_changes(self.tags, self.tags_after)
        if not adding and not removing:
            return []
        before = {name: self.tags[name] for name in [*adding, *removing] if name in self.tags}
        return [_plan.Change(_plan.UPDATE, key, before, adding)]

    def _removal(self, tree: _plan.Tree) -> list[_plan.Change]:
        key = f"distribution/{self.label}"
        if key not in tree or self.config is None:
            return []
        if self.config["Enabled"]:
            self.request = self._disabling()
        else:
            self.request = {"Id": self.id, "IfMatch": self.etag}
        before = {"enabled": self.config["Enabled"], "aliases": sorted(items(self.config.get("Aliases")))}
        return [_plan.Change(_plan.DELETE, key, before, {})]

    def _disabling(self) -> dict[str, Any]:
        config = {**(self.config or {}), "Enabled": False}
        return {"Id": self.id, "IfMatch": self.etag, "DistributionConfig": config}

    # Writing

    def apply(self, tree: _plan.Tree, changes: list[_plan.Change]) -> tuple[_plan.Tree, list[_plan.Change]]:
        if self.params["state"] == "absent":
            if changes:
                self._remove()
            return {}, changes
        tagging = [change for change in changes if change.kind == "tags"]
        made = [change for change in changes if change.kind != "tags"]
        if self.id is None and made:
            made, tagging = self._create(made, tagging)
        else:
            made = self.update(made)
        if tagging and tagging[0].action == _plan.UPDATE:
            self._tag()
        return tree, [*made, *tagging]

    def _create(
        self, made: list[_plan.Change], tagging: list[_plan.Change]
    ) -> tuple[list[_plan.Change], list[_plan.Change]]:
        try:
            self.keep(self.api.create_distribution_with_tags(**(self.request or {}), aws_retry=True))
            return made, tagging
        except is_boto3_error_code("DistributionAlreadyExists"):
            self.id = api.created(self.api, self.caller_reference)
        if self.id is None or not self.fetch():
            raise _plan.Refused(
                f"name is {self.params['name']!r}: AWS says that a distribution was created with the caller reference "
                f"{self.caller_reference!r}, but lists none. Wait a minute, or choose another name."
            )
        # It was made by an earlier run, and the tagging API did not know of it yet.
        self.tags = api.tags(self.api, str(self.arn))
        return self.update(self.changes_of(self.planned())), self._tag_changes()

    def _tag(self) -> None:
        adding, removing = _owned.tag_changes(self.tags, self.tags_after)
        if adding:
            tags = {"Items": _aws.tags_to_list(adding)}
            self.api.tag_resource(Resource=self.arn, Tags=tags, aws_retry=True)
        if removing:
            self.api.untag_resource(Resource=self.arn, TagKeys={"Items": removing}, aws_retry=True)
        self.tags = self.tags_after

    def _remove(self) -> None:
        """Disable, wait until no edge serves it, delete; each step is skipped where an earlier run has done it."""
        first = self.request

        def disable() -> None:
            self.keep(self.api.update_distribution(**self._disabling(), aws_retry=True))

        def delete() -> None:
            try:
                self.api.delete_distribution(Id=self.id, IfMatch=self.etag, aws_retry=True)
            except is_boto3_error_code("NoSuchDistribution"):
                pass

        what = f"distribution {self.id}"
        if self._enabled():
            while_current(what, disable, lambda: self.fetch() and self._enabled())
        if self.status != waiters.DEPLOYED:
            found = waiters.deployed(self.module, self.api, str(self.id), self.params["wait_timeout"])
            if found is None:
                return
            self.keep(found)
        while_current(what, delete, self.fetch)
        self.request = first

    def _enabled(self) -> bool:
        return bool(self.config and self.config["Enabled"])

    # Reporting

    def facts(self, tree: _plan.Tree) -> dict[str, Any]:
        gone = self.params["state"] == "absent" or (self.params["state"] == "gathered" and self.id is None)
        unknown = None if gone else _plan.UNKNOWN
        if gone:
            self.id = self.arn = self.domain_name = self.etag = self.status = self.after = None
        shown = self.shown()
        predicted = self.module.check_mode and self.request is not None
        return {
            "name": self.params["name"] or self.tags_after.get(api.NAME_TAG),
            "id": self.id or unknown,
            "arn": self.arn or unknown,
            "domain_name": self.domain_name or unknown,
            "hosted_zone_id": api.HOSTED_ZONE,
            "status": unknown if predicted else self.status or unknown,
            "aliases": sorted(items((self.after or {}).get("Aliases"))),
            "tags": {} if gone else self.tags_after,
            **shown,
            "etag": None if gone else shown["etag"] or unknown,
        }
