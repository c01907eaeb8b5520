#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stack_check
version_added: 0.1.0
short_description: Validate a stack file against its schema and the AWS account
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Checks every variable of a stack file, at any depth, against a schema, then against what the region really offers.
  - All faults come in one message that names variable, value and cure. Nothing is ever written.
  - Returns the stack with its defaults filled in, the chosen Availability Zones and the subnet ranges derived from the VPC's.
options:
  variables:
    description: The variables to check, by name.
    type: dict
    required: true
  schema:
    description:
      - The settings by variable name, in the form of the role preflight's C(vars/stack_schema.yml); or the path of a YAML file that holds
        them below one key, where the module runs.
      - Give a path for much of it. Ansible searches what a module is given for passwords, which takes it over a second for the whole schema.
    type: raw
    required: true
  sizes:
    description:
      - Defaults by setting's path, for each value of C(wordpress_ha_size), in the form of the role preflight's C(vars/sizes.yml); or the path
        of such a file.
    type: raw
    default: {}
  profiles:
    description: >-
      Differences from the schema's defaults for each value of C(wordpress_ha_profile), as lists of dicts with C(setting) and C(value).
      What is set by itself wins over the size, the size over the profile. Or the path of a file that holds them.
    type: raw
    default: {}
  other_variables:
    description: Names of further variables that may be set, such as the options of the node roles. Their values are not checked.
    type: list
    elements: str
    default: []
  account:
    description: Whether to compare with the AWS account too. Without it no call is made and only offline faults are found.
    type: bool
    default: true
  probes:
    description: What of the account to compare with; everything when empty. The account's number is asked for in any case.
    type: list
    elements: str
    choices: [network, instance_types, base_image, key_pairs, hosted_zone, database_class, snapshot, file_system, buckets, certificate, edge_certificate]
    default: []
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Reads only, with or without check mode.
"""

EXAMPLES = r"""
- name: Check a stack
  wordpress_ha.aws.stack_check:
    variables:
      wordpress_ha_stack: blog
      wordpress_ha_region: eu-central-1
      wordpress_ha_site:
        domain: www.example.org
        admin_email: admin@example.org
    schema: "{{ lookup('ansible.builtin.file', 'stack_schema.yml') | from_yaml }}"
  register: checked
"""

RETURN = r"""
stack:
  description: The normalised stack under short names, every default filled in.
  returned: always
  type: dict
  sample: {"name": "blog", "region": "eu-central-1", "network": {"cidr": "10.40.0.0/16", "nat": "per_az"}}
availability_zones:
  description: Names of the chosen Availability Zones. Empty without O(account).
  returned: always
  type: list
  elements: str
  sample: ["eu-central-1a", "eu-central-1b"]
subnets:
  description: Address ranges of the subnets, by tier, one for each zone.
  returned: always
  type: dict
  sample: {"public": ["10.40.0.0/20"], "app": ["10.40.64.0/20"], "data": ["10.40.128.0/20"]}
base_image:
  description: The image that node images are baked from. Empty without O(account).
  returned: always
  type: dict
  sample: {"image_id": "ami-0123456789abcdef0", "name": "debian-13-amd64-20261101-1", "architecture": "x86_64"}
certificate_arn:
  description: >-
    ARN of the load balancer's certificate. Empty without HTTPS, without O(account), and where it is yet to be requested since a hosted
    zone is named.
  returned: always
  type: str
  sample: arn:aws:acm:eu-central-1:123456789012:certificate/0a1b2c3d
edge_certificate_arn:
  description: ARN of the edge's certificate in us-east-1. Empty without the edge, and like RV(certificate_arn).
  returned: always
  type: str
  sample: arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d
hosted_zone_id:
  description: Id of the public hosted zone that the stack names. Empty without one or without O(account).
  returned: always
  type: str
  sample: Z0123456789ABCDEFGHIJ
account_id:
  description: Number of the AWS account. Empty without O(account).
  returned: always
  type: str
  sample: "123456789012"
partition:
  description: The AWS partition of the region, for ARNs.
  returned: always
  type: str
  sample: aws
"""

from typing import Any

try:
    import boto3
    import botocore
    import yaml
except ImportError:  # AnsibleAWSModule reports the missing library; PyYAML is where Ansible runs
    pass

from ansible_collections.amazon.aws.plugins.module_utils.common import AMAZON_AWS_COLLECTION_VERSION
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils._stack_account import PROBES, Account, check_regions
from ansible_collections.wordpress_ha.aws.plugins.module_utils._stack_rules import check_together, subnets
from ansible_collections.wordpress_ha.aws.plugins.module_utils._stack_schema import Problem, check

OLDEST_AMAZON_AWS = (10, 1)


def fail(module: AnsibleAWSModule, problems: list[Problem]) -> None:
    if len(problems) == 1:
        module.fail_json(msg=f"Nothing was changed, since {problems[0]}", problems=[str(problems[0])])
    lines = [str(problem) for problem in problems]
    module.fail_json(
        msg="\n- ".join([f"Nothing was changed, since {len(lines)} settings are wrong:", *lines]), problems=lines
    )


def require_amazon_aws(module: AnsibleAWSModule) -> None:
    """Leave with a clear word if the collection we stand on is too old."""
    found = tuple(int(part) for part in AMAZON_AWS_COLLECTION_VERSION.split("-", maxsplit=1)[0].split(".")[:2])
    if found < OLDEST_AMAZON_AWS:
        module.fail_json(
            msg=f"The collection amazon.aws is version {AMAZON_AWS_COLLECTION_VERSION}; at least 10.1.0 is needed. "
            "Install it with `ansible-galaxy collection install 'amazon.aws:>=10.1.0'`."
        )


def loaded(module: AnsibleAWSModule, name: str) -> dict[str, Any]:
    """Return the dict that an option is, or what stands below the one key of the file that it names."""
    given = module.params[name]
    if not isinstance(given, str):
        return dict(given)
    try:
        with open(given, encoding="utf-8") as file:
            # The parser written in C takes a tenth of the time, where there is one.
            (content,) = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader)).values()
    except (OSError, ValueError, AttributeError) as error:
        module.fail_json(msg=f"{name} is {given!r}, which cannot be read as a YAML file with one key: {error}")
    return dict(content)


def main() -> None:
    """Check offline first, then the account; leave with one message or with the normalised stack."""
    module = AnsibleAWSModule(
        argument_spec={
            "variables": {"type": "dict", "required": True},
            "schema": {"type": "raw", "required": True},
            "sizes": {"type": "raw", "default": {}},
            "profiles": {"type": "raw", "default": {}},
            "other_variables": {"type": "list", "elements": "str", "default": []},
            "account": {"type": "bool", "default": True},
            "probes": {"type": "list", "elements": "str", "choices": list(PROBES), "default": []},
        },
        supports_check_mode=True,
    )
    require_amazon_aws(module)
    schema, sizes, differing = (loaded(module, name) for name in ("schema", "sizes", "profiles"))
    profiles = {name: {one["setting"]: one["value"] for one in differences} for name, differences in differing.items()}
    stack, problems = check(module.params["variables"], schema, module.params["other_variables"], sizes, profiles)
    problems = problems or [*check_together(stack), *check_regions(stack)]
    if problems:
        fail(module, problems)
    account = Account(module, stack)
    if module.params["account"]:
        try:
            problems = account.check(module.params["probes"])
        except botocore.exceptions.NoCredentialsError:
            module.fail_json(
                msg="Nothing was changed, since there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, in the environment or in wordpress_ha_aws_environment."
            )
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            module.fail_json_aws(error, msg="Nothing was changed, since AWS could not be asked what the account offers")
    if problems:
        fail(module, problems)
    zones = stack["network"]["availability_zones"]
    module.exit_json(
        changed=False,
        stack=stack,
        availability_zones=account.facts.get("availability_zones", []),
        subnets=subnets(stack["network"]["cidr"], len(zones) if isinstance(zones, list) else zones),
        base_image=account.facts.get("base_image", {}),
        certificate_arn=account.facts.get("certificate_arn", ""),
        edge_certificate_arn=account.facts.get("edge_certificate_arn", ""),
        hosted_zone_id=account.facts.get("hosted_zone_id", ""),
        account_id=account.facts.get("account_id", ""),
        partition=boto3.Session().get_partition_for_region(stack["region"]),
    )


if __name__ == "__main__":
    main()
