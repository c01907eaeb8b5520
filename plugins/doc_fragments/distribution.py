# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the modules that change a distribution: its behaviors, and how the change is judged and awaited."""

from __future__ import annotations

from textwrap import indent

# The options of a behavior, which the default behavior and those of path patterns share.
_BEHAVIOR = r"""
target_origin:
  description:
    - The id of the origin, or of the origin group, that answers. A new behavior needs it.
  type: str
viewer_protocol_policy:
  description:
    - Whether visitors may use HTTP, are redirected to HTTPS, or refused without it. A new behavior redirects.
  type: str
  choices: [allow-all, https-only, redirect-to-https]
allowed_methods:
  description:
    - The methods that reach the origin, as one of three sets. They are C(GET) and C(HEAD); these and C(OPTIONS);
      or all of C(GET), C(HEAD), C(OPTIONS), C(PUT), C(POST), C(PATCH) and C(DELETE). A new behavior has the first.
  type: list
  elements: str
cached_methods:
  description:
    - The methods whose answers are cached, C(GET) and C(HEAD), or these and C(OPTIONS).
  type: list
  elements: str
compress:
  description:
    - Whether the edge compresses what the origin sent uncompressed. A new behavior does not.
  type: bool
cache_policy:
  description:
    - Name or id of the cache policy. AWS's own are known by name, with or without C(Managed-).
    - A new behavior needs it, or O(@.forwarded_values). Setting it removes the latter with the times that belong to it.
  type: str
origin_request_policy:
  description:
    - Name or id of the origin request policy. An empty string removes it.
  type: str
response_headers_policy:
  description:
    - Name or id of the response headers policy. An empty string removes it.
  type: str
functions:
  description:
    - The CloudFront functions that run, one for each event. The list replaces what is there.
  type: list
  elements: dict
  suboptions:
    event:
      description: When the function runs.
      type: str
      required: true
      choices: [viewer-request, viewer-response]
    function:
      description: Name or ARN of a published function.
      type: str
      required: true
lambda_functions:
  description:
    - The Lambda functions that run, one for each event. The list replaces what is there.
  type: list
  elements: dict
  suboptions:
    event:
      description: When the function runs.
      type: str
      required: true
      choices: [viewer-request, viewer-response, origin-request, origin-response]
    arn:
      description: ARN of a version of the function.
      type: str
      required: true
    include_body:
      description: Whether the function sees the request's body.
      type: bool
trusted_key_groups:
  description:
    - Ids of the key groups whose signatures visitors need. An empty list asks for none.
  type: list
  elements: str
realtime_log_config_arn:
  description:
    - ARN of a real-time log configuration. An empty string removes it.
  type: str
field_level_encryption_id:
  description:
    - Id of a field-level encryption configuration. An empty string removes it.
  type: str
smooth_streaming:
  description:
    - Whether the origin serves Microsoft Smooth Streaming.
  type: bool
grpc:
  description:
    - Whether gRPC is forwarded.
  type: bool
forwarded_values:
  description:
    - The legacy way to say what is forwarded and part of the key, which excludes policies. Setting it removes them.
  type: dict
  suboptions:
    query_string:
      description: Whether query strings are forwarded.
      type: bool
    query_string_cache_keys:
      description: The query strings that are part of the key, if not all that are forwarded.
      type: list
      elements: str
    cookies:
      description: Which cookies are forwarded.
      type: str
      choices: [none, whitelist, all]
    cookie_names:
      description: The cookies to forward with the value V(whitelist); wildcards are C(*) and C(?).
      type: list
      elements: str
    headers:
      description: The headers to forward; C(*) stands for all.
      type: list
      elements: str
min_ttl:
  description:
    - How many seconds an object is cached at least. Only with O(@.forwarded_values), otherwise the policy says it.
  type: int
default_ttl:
  description:
    - How many seconds an object without caching headers is cached. Only with O(@.forwarded_values).
  type: int
max_ttl:
  description:
    - How many seconds an object is cached at most. Only with O(@.forwarded_values).
  type: int
"""

_PATH_PATTERN = r"""
path_pattern:
  description:
    - The path pattern, such as C(wp-admin/*), by which a behavior is known. A slash at its beginning makes no difference.
  type: str
  required: true
"""

_NEIGHBOUR = r"""
before:
  description:
    - The path pattern of a behavior that this one shall stand above. Only with O(purge=false), and not with the next option.
    - A behavior that stands above it already stays where it is; another one is put directly above it.
  type: str
after:
  description:
    - The path pattern of a behavior that this one shall stand below. Only with O(purge=false), and not with the previous option.
    - A behavior that stands below it already stays where it is; another one is put directly below it.
  type: str
"""

_OPTIONS = """
  default_behavior:
    description:
      - What is done with requests that no path pattern matches. Suboptions that are not set are left as they are.
    type: dict
    suboptions:
{default}
  behaviors:
    description:
      - The behaviors of path patterns, the one with precedence first.
{about}
      - Suboptions that are not set are left as they are, and so is everything that this module does not know.
    type: list
    elements: dict
    suboptions:
{entry}
"""


def _options(about: str, further: str = "") -> str:
    default = _BEHAVIOR.replace("O(@.", "O(default_behavior.")
    entry = (_PATH_PATTERN + _BEHAVIOR + further).replace("O(@.", "O(behaviors[].")
    return "options:" + _OPTIONS.format(
        default=indent(default.strip("\n"), " " * 6),
        entry=indent(entry.replace("\n\n", "\n").strip("\n"), " " * 6),
        about=indent(about.strip("\n"), " " * 6),
    )


class ModuleDocFragment:
    # wordpress_ha.aws.distribution: behaviors as a complete list.
    # (With annotations: ansible-test's yamllint expects a literal in every plain assignment here.)
    DOCUMENTATION: str = _options(
        "- The list is complete. Behaviors that are not in it are removed, and its order becomes theirs."
    )

    # wordpress_ha.aws.distribution.behaviors: behaviors as a complete list, or one by one.
    BEHAVIORS: str = _options(
        "- Whether the list is complete is said by O(purge).",
        _NEIGHBOUR,
    )

    # wordpress_ha.aws.distribution.change: how a change is judged and awaited.
    CHANGE = r"""
options:
  lint_ignore:
    description:
      - Rules of the lint, by the names its messages end with, whose findings become warnings. Before anything is written, the
        whole resulting configuration is judged for what CloudFront would refuse and for what it takes but hurts a site.
      - Findings about what was so before, and is not touched, are warnings in any case.
    type: list
    elements: str
    default: []
  wait:
    description:
      - Whether to wait until the change is at every edge, which takes minutes. Every look is written to the system's log.
    type: bool
    default: false
  wait_timeout:
    description: How many seconds to wait at most.
    type: int
    default: 1800
"""
