# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options and notes shared by the modules for what CloudFront keeps by name, beside a distribution."""

from __future__ import annotations


class ModuleDocFragment:
    # wordpress_ha.aws.cloudfront: what every such module has.
    DOCUMENTATION = r"""
options:
  name:
    description: The name, unique in the account.
    type: str
    required: true
notes:
  - O(state=absent) is refused while a distribution uses what would be removed; the message names which and where.
  - CloudFront belongs to no region; whatever O(region) says, its one endpoint is called.
"""

    # wordpress_ha.aws.cloudfront.linted: for policies and functions, which are judged before they are written.
    LINTED = r"""
options:
  comment:
    description: What it is for.
    type: str
  lint_ignore:
    description: Rules of the lint whose findings are only warned of, by the names in its messages.
    type: list
    elements: str
    default: []
"""

    # wordpress_ha.aws.cloudfront.request: for policies that choose among the parts of a request.
    REQUEST = r"""
options:
  cookies:
    description: Cookies. Their order means nothing; C(*) in a name stands for any characters.
    type: dict
    suboptions:
      behavior:
        description: None, those in O(cookies.names), all but those, or all.
        type: str
        choices: [none, whitelist, allExcept, all]
      names:
        description: The names; the list replaces what there is.
        type: list
        elements: str
  query_strings:
    description: Parameters of the query string. Their order means nothing.
    type: dict
    suboptions:
      behavior:
        description: None, those in O(query_strings.names), all but those, or all.
        type: str
        choices: [none, whitelist, allExcept, all]
      names:
        description: The names; the list replaces what there is.
        type: list
        elements: str
"""
