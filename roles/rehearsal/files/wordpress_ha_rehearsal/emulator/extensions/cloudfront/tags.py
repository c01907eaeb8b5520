# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags of CloudFront's resources, by its own calls and by the Resource Groups Tagging API of us-east-1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.cloudfront.models import CloudFrontBackend
from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult, EmptyResult
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend

from .. import extension
from ..patching import Function, add, wrap
from .store import Record, Refusal, handle, table

#: The global services' resources are found in this region alone.
REGION = "us-east-1"
#: What has tags: the kind of a table and its name in the tagging API.
TAGGED = {"distribution": "distribution", "function": "function", "vpc_origin": "vpcorigin"}


def _tagged(backend: Any) -> Iterator[tuple[str, Record]]:
    for kind, name in TAGGED.items():
        for record in table(backend, kind).values():
            yield f"cloudfront:{name}", record


def _arn(response: Any) -> str:
    """Return the resource of a request, or raise the API's error for an unknown one."""
    wanted = str(response._get_param("Resource"))
    if all(record.arn != wanted for _unused, record in _tagged(response.backend)):
        raise Refusal("NoSuchResource", f"The specified resource does not exist: {wanted}.")
    return wanted


@extension("cloudfront-tags", "tags are kept for any ARN; the tagging API does not see what extensions keep")
def _tags() -> None:
    @add(CloudFrontBackend)
    def iter_tagged_resources(self: Any) -> Iterator[TaggedResource]:
        for resource_type, record in _tagged(self):
            yield TaggedResource(record.arn, self.tagger.get_tag_dict_for_resource(record.arn), resource_type)

    @wrap(ResourceGroupsTaggingAPIBackend, "_get_resources_generator")
    def get_resources(original: Function, self: Any, *args: Any, **kwargs: Any) -> Iterator[TaggedResource]:
        for resource in original(self, *args, **kwargs):
            if self.region_name == REGION or not resource.resource_type.startswith("cloudfront:"):
                yield resource

    def list_tags(self: Any) -> ActionResult:
        return ActionResult({"Tags": {"Items": self.backend.list_tags_for_resource(_arn(self))["Tags"]}})

    def tag(self: Any) -> EmptyResult:
        tags = {one["Key"]: one.get("Value") or "" for one in self._get_param("Tags.Items", []) or []}
        self.backend.tag_resource(_arn(self), tags)
        return EmptyResult()

    def untag(self: Any) -> EmptyResult:
        self.backend.untag_resource(_arn(self), self._get_param("TagKeys.Items", []) or [])
        return EmptyResult()

    handle("list_tags_for_resource", list_tags)
    handle("tag_resource", tag)
    handle("untag_resource", untag)
