# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options and attributes shared by every module that is built on the plan core."""

from __future__ import annotations


class ModuleDocFragment:
    # wordpress_ha.aws.plan: what every plan-based module has.
    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) makes the resources as described. An option that is not set is left as it is.
      - V(absent) removes the resources that this module finds as its own, and nothing else.
      - V(gathered) changes nothing and returns the same facts; those of resources that do not exist are null or empty.
    type: str
    choices: [present, absent, gathered]
    default: present
attributes:
  check_mode:
    description: Can run in check_mode and return the changed status and the facts that a real run would return.
    support: full
    details:
      - No writing call is made. Identifiers that only AWS can assign read V((known after apply)).
      - The module accepts V((known after apply)) as an input in check mode, so that a whole play can be predicted on an empty account.
  diff_mode:
    description: Returns, by resource, only the fields that differ. Secrets are masked.
    support: full
"""

    # wordpress_ha.aws.plan.tags: for resources that can be tagged after their creation.
    TAGS = r"""
options:
  tags:
    description:
      - Tags of every resource of this module. The tag V(Name) and the tag that marks the stack are added where a module says so.
      - If not set, tags are left alone.
    type: dict
  purge_tags:
    description:
      - Whether to remove tags that are not in O(tags). Tags whose key begins with V(aws:) are AWS's own and never touched.
    type: bool
    default: false
"""

    # wordpress_ha.aws.plan.wait: for resources that take their time.
    WAIT = r"""
options:
  wait_timeout:
    description: How many seconds to wait at most for one resource to reach its state.
    type: int
    default: 600
"""
