#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudfront_policies_info
version_added: 0.1.0
short_description: List CloudFront's policies, origin access controls, functions and VPC origins by name
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Returns what a distribution can refer to by name, in the shape of the options that would make it, so that what was made by
    hand can be written down as a task. One call for each sort and hundred.
options:
  sorts:
    description: What to list.
    type: list
    elements: str
    choices: [cache_policies, origin_request_policies, response_headers_policies, origin_access_controls, functions, vpc_origins]
    default: [cache_policies, origin_request_policies, response_headers_policies, origin_access_controls, functions, vpc_origins]
  owner:
    description: Whose policies to list, the account's own, those that AWS manages, or both. The other sorts are always the account's.
    type: str
    choices: [account, aws, all]
    default: all
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: N/A
"""

EXAMPLES = r"""
- name: Look at the policies that AWS manages
  wordpress_ha.aws.cloudfront_policies_info:
    sorts: [cache_policies, origin_request_policies, response_headers_policies]
    owner: aws
  register: managed

- name: Show for how long each cache policy keeps an answer at most
  ansible.builtin.debug:
    msg: "{{ item.key }}: {{ item.value.settings.max_ttl }} s"
  loop: "{{ managed.cache_policies | dict2items }}"
  loop_control:
    label: "{{ item.key }}"
"""

RETURN = r"""
cache_policies:
  description:
    - Cache policies by name, each with C(id), C(managed) (whether it is AWS's own) and C(settings), the options of
      M(wordpress_ha.aws.cloudfront_cache_policy) that would make it. Empty if not asked for, as all below.
  type: dict
  returned: always
  sample: {blog-pages: {id: 0e1f2a3b-4c5d-6e7f-8a9b-0c1d2e3f4a5b, managed: false, settings: {min_ttl: 0, default_ttl: 600}}}
origin_request_policies:
  description: The same for M(wordpress_ha.aws.cloudfront_origin_request_policy).
  type: dict
  returned: always
response_headers_policies:
  description: The same for M(wordpress_ha.aws.cloudfront_response_headers_policy).
  type: dict
  returned: always
origin_access_controls:
  description: The same for M(wordpress_ha.aws.cloudfront_origin_access_control).
  type: dict
  returned: always
functions:
  description:
    - Functions by name, each with C(arn), C(published) (whether it has a stage LIVE) and C(settings), the options of
      M(wordpress_ha.aws.cloudfront_function) except for the code.
  type: dict
  returned: always
  sample: {blog-request: {arn: "arn:aws:cloudfront::123456789012:function/blog-request", published: true, settings: {comment: Requests}}}
vpc_origins:
  description: VPC origins by name, each with C(id), C(arn), C(status) and C(endpoint_arn).
  type: dict
  returned: always
"""

from collections.abc import Callable
from typing import Any

try:
    import botocore
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws
from ansible_collections.wordpress_ha.aws.plugins.module_utils._cloudfront import named, policies

OWNERS = {"account": {"Type": "custom"}, "aws": {"Type": "managed"}, "all": {}}


def configurations(client: Any, kind: policies.Kind, **arguments: Any) -> dict[str, Any]:
    """Return everything of a kind whose list holds the configuration: policies and origin access controls."""
    result = {}
    for summary in named.pages(getattr(client, kind.listing), kind.listed, **arguments):
        identity, name, managed = kind.identify(summary)
        nested = summary.get(kind.resource) or summary
        settings = policies.options(kind, nested.get(kind.config) or nested)
        result[name] = {
            "id": identity,
            **({"managed": managed} if kind.managed else {}),
            "settings": {option: value for option, value in settings.items() if option != "name"},
        }
    return result


def functions(client: Any) -> dict[str, Any]:
    """Return the functions; the list has an entry for each stage."""
    result: dict[str, Any] = {}
    for summary in named.pages(client.list_functions, "FunctionList"):
        config, metadata = summary["FunctionConfig"], summary["FunctionMetadata"]
        stores = policies.items(config.get("KeyValueStoreAssociations"))
        settings = {
            "runtime": config["Runtime"],
            "comment": config.get("Comment", ""),
            "key_value_stores": sorted(store["KeyValueStoreARN"] for store in stores),
        }
        live = metadata["Stage"] == "LIVE"
        entry = result.setdefault(summary["Name"], {"arn": metadata["FunctionARN"], "published": False})
        entry["published"] |= live
        if not live or "settings" not in entry:
            entry["settings"] = settings
    return result


def vpc_origins(client: Any) -> dict[str, Any]:
    """Return the VPC origins, whose list lacks most of the configuration."""
    return {
        one["Name"]: {
            "id": one["Id"],
            "arn": one["Arn"],
            "status": one["Status"],
            "endpoint_arn": one["OriginEndpointArn"],
        }
        for one in named.pages(client.list_vpc_origins, policies.VPC_ORIGIN.listed)
    }


def listings(client: Any, owner: str) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return how to list each sort."""
    whose = OWNERS[owner]
    return {
        "cache_policies": lambda: configurations(client, policies.CACHE, **whose),
        "origin_request_policies": lambda: configurations(client, policies.ORIGIN_REQUEST, **whose),
        "response_headers_policies": lambda: configurations(client, policies.RESPONSE_HEADERS, **whose),
        "origin_access_controls": lambda: configurations(client, policies.ORIGIN_ACCESS_CONTROL),
        "functions": lambda: functions(client),
        "vpc_origins": lambda: vpc_origins(client),
    }


def main() -> None:
    sorts = list(listings(None, "all"))
    module = AnsibleAWSModule(
        argument_spec={
            "sorts": {"type": "list", "elements": "str", "choices": sorts, "default": sorts},
            "owner": {"type": "str", "choices": list(OWNERS), "default": "all"},
        },
        supports_check_mode=True,
    )
    try:
        client = _aws.Planned(module).client("cloudfront", region=named.REGION)
        found = {
            sort: listing() if sort in module.params["sorts"] else {}
            for sort, listing in listings(client, module.params["owner"]).items()
        }
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json_aws(error, msg="cloudfront_policies_info: AWS refused or did not answer")
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
