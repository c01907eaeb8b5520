#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: elasticache_endpoint_info
short_description: Tell what stands behind the host name of a cache
version_added: 0.1.0
description:
  - Looks for the host name among the endpoints of the region's replication groups, serverless caches and clusters, and tells whether an object
    cache of WordPress can use it.
  - A host name that ElastiCache does not know is no failure; a cache may stand elsewhere, or behind a name of one's own.
  - Upstream has no module that finds a cache by its endpoint. This one can be retired once it has.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
options:
  host:
    description: Host name that clients connect to.
    type: str
    required: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Can run in check_mode and return the changed status.
    support: full
  diff_mode:
    description: Changes nothing, so that there is no difference to show.
    support: N/A
"""

EXAMPLES = r"""
- name: Cache | See what was given
  wordpress_ha.aws.elasticache_endpoint_info:
    host: master.blog-cache.abc123.use1.cache.amazonaws.com
  register: endpoint
"""

RETURN = r"""
found:
  description: What has that host name; null when nothing in this region has.
  type: dict
  returned: always
  contains:
    kind:
      description: C(replication_group), C(serverless), C(memcached) or C(node).
      type: str
    name:
      description: Its identifier.
      type: str
    engine:
      description: What runs.
      type: str
    arn:
      description: Its ARN.
      type: str
    cluster_mode:
      description: Whether clients must speak the protocol of cluster mode.
      type: bool
    tls:
      description: Whether clients must use TLS.
      type: bool
    password:
      description: Whether clients must send a password.
      type: bool
    primary_endpoint:
      description: Host name of the primary of a replication group without cluster mode.
      type: str
    reader_endpoint:
      description: Host name of its replicas.
      type: str
    node_ids:
      description: Identifiers of its nodes, as metrics name them.
      type: list
      elements: str
refusal:
  description: Why an object cache of WordPress cannot use it, and what to give instead; empty when it can.
  type: str
  returned: always
"""

try:
    import botocore
except ImportError:  # AnsibleAWSModule reports the missing library
    pass

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _aws, _cache_endpoint, _owned


def main() -> None:
    module = AnsibleAWSModule(argument_spec={"host": {"type": "str", "required": True}}, supports_check_mode=True)
    host = module.params["host"]
    refusal = _cache_endpoint.unusable(host)
    if refusal:  # the name says it all
        module.exit_json(changed=False, found=None, refusal=refusal)
    try:
        client = _aws.connect(module, "elasticache")
        groups = _owned.listed(client, "describe_replication_groups", "ReplicationGroups")
        found = _cache_endpoint.behind(host, groups, [], [])
        if found is None:
            caches = _owned.listed(client, "describe_serverless_caches", "ServerlessCaches")
            clusters = _owned.listed(client, "describe_cache_clusters", "CacheClusters", ShowCacheNodeInfo=True)
            found = _cache_endpoint.behind(host, [], caches, clusters)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json_aws(error, msg="elasticache_endpoint_info: AWS refused or did not answer")
    module.exit_json(changed=False, found=found, refusal=_cache_endpoint.refusal(found, host) if found else "")


if __name__ == "__main__":
    main()
