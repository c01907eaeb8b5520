# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache in VCL: one pair of small subroutines for each behavior, the rules they share once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .model import Behavior, Distribution, Origin, token

#: Errors that are stored whatever their headers say, and those that are when the origin gives them a lifetime.
ALWAYS_STORED = (404, 414, 500, 501, 502, 503, 504)
STORED_WHEN_TOLD = (400, 403, 405, 412, 415)
#: Seconds of an error's life (Error Caching Minimum TTL) unless the distribution says otherwise.
ERROR_TTL = 10

#: Without a distribution that is enabled; to the compiler, what is defined and not used is an error.
STARTING = "vcl 4.1;\n\nbackend none none;\n\nsub vcl_recv {\n    return (synth(503));\n}\n"

REQUESTS = """
sub vcl_recv {
    if (req.http.X-Edge-Behavior !~ "^(%(names)s)$") {
        return (synth(503));
    }
    if (req.http.X-Edge-Pass) {
        return (pass);
    }
    return (hash);
}

sub vcl_hash {
    hash_data(req.http.X-Edge-Key);
    return (lookup);
}

# What the origin says about a lifetime takes the place of what beresp.ttl held: s-maxage, else max-age, else Expires.
sub origin_lifetime {
    if (beresp.http.Cache-Control ~ "(?i)(^|[, ])s-maxage *= *[0-9]") {
        set beresp.ttl = std.duration(regsub(beresp.http.Cache-Control, "(?i)^.*s-maxage *= *([0-9]+).*$", "\\1s"), 0s);
    } elsif (beresp.http.Cache-Control ~ "(?i)(^|[, ])max-age *= *[0-9]") {
        set beresp.ttl = std.duration(regsub(beresp.http.Cache-Control, "(?i)^(.*[, ])?max-age *= *([0-9]+).*$", "\\2s"), 0s);
    } elsif (beresp.http.Expires) {
        set beresp.ttl = std.time(beresp.http.Expires, now) - now;
    }
}

# Not stored; that it was not is remembered for a moment, so that requests do not wait for each other.
sub not_stored {
    set beresp.uncacheable = true;
    set beresp.ttl = 10s;
}
"""

RESPONSES = """
sub vcl_backend_fetch {
    if (bereq.http.X-Edge-Method == "OPTIONS") {
        set bereq.method = "OPTIONS";
    }
    # The nginx of the origins may be changing over to another configuration: no connection is used twice.
    set bereq.http.Connection = "close";
    unset bereq.http.X-Forwarded-For;
    unset bereq.http.Via;
%(fetch)s
    return (fetch);
}

sub vcl_backend_response {
    set beresp.http.X-Edge-Url = bereq.http.X-Edge-Url;
    set beresp.http.X-Edge-Distribution = bereq.http.X-Edge-Distribution;
    unset beresp.http.X-Edge-Refreshed;
    if (beresp.was_304) {
        set beresp.http.X-Edge-Refreshed = "1";
    }
    if (beresp.http.Content-Encoding == "identity") {
        unset beresp.http.Content-Encoding;
    }
    # Variants are told apart by the cache key alone; viewers still read what the origin said.
    if (beresp.http.Vary) {
        set beresp.http.X-Edge-Vary = beresp.http.Vary;
        unset beresp.http.Vary;
    }
    set beresp.grace = 0s;
    set beresp.keep = 1d;
%(response)s
    return (deliver);
}

sub vcl_backend_error {
    if (bereq.retries < 2 && bereq.method ~ "^(GET|HEAD|OPTIONS)$") {
        return (retry);
    }
    set beresp.ttl = 0s;
    set beresp.http.X-Edge-Failed = "1";
    return (deliver);
}

sub vcl_deliver {
    if (obj.uncacheable || obj.hits == 0) {
        set resp.http.X-Edge-Cache = "Miss";
        if (resp.http.X-Edge-Refreshed) {
            set resp.http.X-Edge-Cache = "RefreshHit";
        }
        unset resp.http.Age;
    } else {
        set resp.http.X-Edge-Cache = "Hit";
    }
    if (resp.http.X-Edge-Vary) {
        set resp.http.Vary = resp.http.X-Edge-Vary;
    }
    unset resp.http.X-Edge-Vary;
    unset resp.http.X-Edge-Url;
    unset resp.http.X-Edge-Distribution;
    unset resp.http.X-Edge-Refreshed;
    unset resp.http.X-Edge-Failed;
    unset resp.http.X-Varnish;
    unset resp.http.Via;
    return (deliver);
}
"""


def render(distributions: Iterable[Distribution], time_scale: float = 1) -> str:
    """Return the whole VCL. ``time_scale`` multiplies every lifetime: tests do not wait for ten seconds."""
    owned: dict[str, tuple[Behavior, Distribution]] = {}
    origins: dict[str, Origin] = {}
    for one in distributions:
        owned |= {behavior.name: (behavior, one) for behavior in one.behaviors}
        origins |= {origin.name: origin for origin in one.origins.values()}
    if not owned:
        return STARTING
    # An origin that nothing leads to may be configured; to the compiler it would be an error.
    used = {behavior.origin for behavior, _one in owned.values()}
    used |= {behavior.failover[0] for behavior, _one in owned.values() if behavior.failover}
    parts = ["vcl 4.1;\n\nimport std;\n\nbackend none none;\n"]
    parts += [_backend(origins[name]) for name in sorted(used)]
    parts.append(REQUESTS % {"names": "|".join(owned)})
    parts += sorted({_errors(one.error_responses, time_scale) for _behavior, one in owned.values()})
    parts += [_fetch(behavior) + _response(behavior, one, time_scale) for behavior, one in owned.values()]
    parts.append(RESPONSES % {"fetch": _dispatch(owned, "fetch"), "response": _dispatch(owned, "response")})
    return "\n".join(parts)


def _dispatch(owned: Mapping[str, Any], step: str) -> str:
    lines = []
    for name in owned:
        lines.append(f'    if (bereq.http.X-Edge-Behavior == "{name}") {{\n        call {name}_{step};\n    }}')
    return "\n".join(lines)


def _backend(origin: Origin) -> str:
    # Time-outs and attempts are nginx's business, which ends before these do.
    return (
        f'# {origin.domain}\nbackend {origin.name} {{\n    .path = "/run/edge/{origin.name}.sock";\n'
        "    .connect_timeout = 5s;\n    .first_byte_timeout = 300s;\n    .between_bytes_timeout = 300s;\n}\n"
    )


def _fetch(behavior: Behavior) -> str:
    lines = [f"# {behavior.pattern}", f"sub {behavior.name}_fetch {{", f"    set bereq.backend = {behavior.origin};"]
    if behavior.failover:
        lines += [
            "    if (bereq.http.X-Edge-Secondary) {",
            f"        set bereq.backend = {behavior.failover[0]};",
            "    }",
        ]
    return "\n".join([*lines, "}", "", ""])


def _response(behavior: Behavior, one: Distribution, scale: float) -> str:
    lines = [f"sub {behavior.name}_response {{"]
    if behavior.failover:
        codes = " || ".join(f"beresp.status == {code}" for code in behavior.failover[1])
        lines += [
            # Only what may be repeated fails over, and an origin that cannot be reached always does.
            f'    if (!bereq.http.X-Edge-Secondary && bereq.method ~ "^(GET|HEAD|OPTIONS)$" && (beresp.http.X-Edge-Failed || {codes})) {{',
            '        set bereq.http.X-Edge-Secondary = "1";',
            "        return (retry);",
            "    }",
        ]
    if not behavior.forwards_cookies:
        lines.append("    unset beresp.http.Set-Cookie;")
    lines += [
        "    if (bereq.uncacheable) {",
        "        return;",
        "    }",
        "    if (beresp.status >= 400) {",
        f"        call {_errors_name(one.error_responses)};",
        "        return;",
        "    }",
        *_lifetime(behavior, scale),
    ]
    return "\n".join([*lines, "}", ""])


def _errors_name(errors: Mapping[int, Any]) -> str:
    return token("errors", {str(code): errors[code].get("ErrorCachingMinTTL") for code in sorted(errors)})


def _errors(errors: Mapping[int, Any], scale: float) -> str:
    """Return the subroutine for a distribution's errors: how long which of them are stored."""
    lines = [f"sub {_errors_name(errors)} {{", "    set beresp.ttl = 0s;", "    call origin_lifetime;"]
    told = [code for code in STORED_WHEN_TOLD if code not in errors]
    if told:
        lines += _when(told, ["    if (beresp.ttl <= 0s) {", "        call not_stored;", "        return;", "    }"])
    least = {code: errors.get(code, {}).get("ErrorCachingMinTTL") for code in ALWAYS_STORED + STORED_WHEN_TOLD}
    seconds = {code: ERROR_TTL if value is None else int(value) for code, value in least.items()}
    for number in sorted(set(seconds.values())):
        codes = [code for code, value in seconds.items() if value == number]
        lines += _when(
            codes,
            [
                f"    if (beresp.ttl < {number}s) {{",
                f"        set beresp.ttl = {number}s;",
                "    }",
                *_scaled(scale),
                "    return;",
            ],
        )
    return "\n".join([*lines, "    call not_stored;", "}", "", ""])


def _when(codes: Iterable[int], lines: Iterable[str]) -> list[str]:
    condition = " || ".join(f"beresp.status == {code}" for code in codes)
    return [f"    if ({condition}) {{", *(f"    {line}" for line in lines), "    }"]


def _lifetime(behavior: Behavior, scale: float) -> list[str]:
    least, default, most = behavior.ttl
    lines = [f"    set beresp.ttl = {default}s;", "    call origin_lifetime;"]
    if least:
        # A minimum above zero wins over no-cache, no-store and private, here as there.
        lines += [
            '    if (beresp.http.Cache-Control ~ "(?i)no-cache|no-store|private") {',
            f"        set beresp.ttl = {least}s;",
            "    }",
        ]
    else:
        lines += [
            '    if (beresp.http.Cache-Control ~ "(?i)no-store|private") {',
            "        call not_stored;",
            "        return;",
            "    }",
        ]
        lines += [
            '    if (beresp.http.Cache-Control ~ "(?i)no-cache($|[^=])") {',
            "        set beresp.ttl = 0s;",
            "    }",
        ]
    lines += [f"    if (beresp.ttl < {least}s) {{", f"        set beresp.ttl = {least}s;", "    }"]
    lines += [
        f"    if (beresp.ttl > {most}s) {{",
        f"        set beresp.ttl = {most}s;",
        "    }",
        *_scaled(scale),
    ]
    return lines


def _scaled(scale: float) -> list[str]:
    return [] if scale == 1 else [f"    set beresp.ttl = beresp.ttl / {1 / scale:.3f};"]
