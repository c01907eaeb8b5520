#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: acm_certificate_request
version_added: 0.1.0
short_description: Have a certificate that ACM issues, validated through Route 53
author:
  - The wordpress_ha.aws project (@wordpress-ha)
description:
  - Requests a public certificate from AWS Certificate Manager, writes the records that prove the domains to their zones in Route 53,
    one call for each zone, and waits until it is issued. The records stay, since ACM renews the certificate only while they stand.
  - A certificate that has exactly the wanted names is used, whoever requested or imported it; only one that this module requested,
    by its tag C(wordpress_ha:certificate), is ever changed or removed. What an interrupted run began is gone on with.
  - When the names change, a new certificate is requested, since ACM cannot change one. The old one stays, because something may
    still use it; RV(superseded) names it, and O(state=absent) removes it too.
  - CloudFront takes certificates of V(us-east-1) only, a load balancer those of its own region. O(region) decides.
  - M(community.aws.acm_certificate) imports certificates and cannot request them.
options:
  domain:
    description: The first name of the certificate, such as C(www.example.org) or C(*.example.org), 64 characters at most.
    type: str
    required: true
  alternative_names:
    description: Its further names, in any order.
    type: list
    elements: str
    default: []
  key_algorithm:
    description: Algorithm of its key. If not set, a certificate with any will do, and a new one gets V(RSA_2048).
    type: str
    choices: [RSA_2048, EC_prime256v1, EC_secp384r1]
  validation_zones:
    description:
      - Public hosted zones to write the validation records to, by id or name. Each name goes to the one that ends it with the most
        labels. If not set, all public zones of the account are looked through.
    type: list
    elements: str
  write_records:
    description:
      - Whether to write, and remove, the validation records. If V(false), write those of RV(validation_records) yourself and set
        O(wait=false) until they stand.
      - ACM wants the same record for one name in every region. O(state=absent) leaves records that another certificate of this
        region needs; set V(false) when one of another region needs them, such as the load balancer's besides the edge's.
    type: bool
    default: true
  wait:
    description: Whether to wait until the certificate is issued, which takes some minutes.
    type: bool
    default: true
  state:
    description:
      - V(present) finds or requests the certificate.
      - V(absent) removes every certificate that this module requested for O(domain), and its validation records. It is refused
        while one is in use.
      - V(gathered) changes nothing and returns the same facts. If no certificate has exactly the wanted names, an issued one that
        covers all of them, such as a wildcard, is returned.
    type: str
    choices: [present, absent, gathered]
    default: present
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - wordpress_ha.aws.plan
  - wordpress_ha.aws.plan.tags
  - wordpress_ha.aws.plan.wait
"""

EXAMPLES = r"""
- name: Have a certificate for the edge
  wordpress_ha.aws.acm_certificate_request:
    domain: blog.example.org
    alternative_names: [www.blog.example.org]
    region: us-east-1
    tags:
      "wordpress_ha:stack": blog
  register: certificate

- name: Find one that covers the site, and change nothing
  wordpress_ha.aws.acm_certificate_request:
    domain: blog.example.org
    region: us-east-1
    state: gathered

- name: Request one whose zone is elsewhere, and tell which records to write there
  wordpress_ha.aws.acm_certificate_request:
    domain: blog.example.net
    write_records: false
    wait: false
  register: elsewhere
"""

RETURN = r"""
arn:
  description: ARN of the certificate; null when there is none.
  type: str
  returned: always
status:
  description: Its status, in AWS's words; V(ISSUED) once it can be used. Null when there is none.
  type: str
  returned: always
domain:
  description: The first name as given, in small letters.
  type: str
  returned: always
alternative_names:
  description: The further names of the certificate.
  type: list
  elements: str
  returned: always
key_algorithm:
  description: Algorithm of its key.
  type: str
  returned: always
ours:
  description: Whether this module requested it.
  type: bool
  returned: always
validation_records:
  description: The records that prove its names, each with C(domain), C(name), C(type) and C(value). Imported certificates have none.
  type: list
  elements: dict
  returned: always
  sample: [{domain: blog.example.org, name: _a1.blog.example.org., type: CNAME, value: _b2.acm-validations.aws.}]
superseded:
  description: ARNs of certificates that this module requested for the domain earlier, with other names or another key. They cost nothing.
  type: list
  elements: str
  returned: always
request:
  description: The exact parameters of the request to ACM, in check mode as they would be sent; null when none is made.
  type: dict
  returned: always
actions:
  description: The changes made, or in check mode those that would be made. C(validation) is one zone's records.
  type: list
  elements: dict
  returned: always
  sample: [{action: create, resource: validation/example.org, before: {}, after: {zone_id: Z0123456789, domains: [blog.example.org]}}]
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _acm, _aws


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "domain": {"type": "str", "required": True},
            "alternative_names": {"type": "list", "elements": "str", "default": []},
            "key_algorithm": {"type": "str", "choices": ["RSA_2048", "EC_prime256v1", "EC_secp384r1"], "no_log": False},
            "validation_zones": {"type": "list", "elements": "str"},
            "write_records": {"type": "bool", "default": True},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 600},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
        },
        supports_check_mode=True,
    )
    _aws.main(module, _acm.Certificate)


if __name__ == "__main__":
    main()
