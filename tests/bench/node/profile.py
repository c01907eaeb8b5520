# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a page's time goes: Excimer samples PHP's stack each millisecond of CPU time, and strace counts system calls."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from . import load, site
from .machines import Fleet

#: Where PHP-FPM's sandbox lets it write, and where it lets it read.
SAMPLES, PRELUDE = "/var/log/bench-samples", "/usr/local/lib/bench-profiler.php"
#: Loaded before each request, in place of what sheds load; adds the stacks of one request, folded, to a file of its process.
AGENT = f"""<?php
$bench_profiler = new ExcimerProfiler();
$bench_profiler->setEventType( EXCIMER_CPU );
$bench_profiler->setPeriod( 0.001 );
$bench_profiler->start();
register_shutdown_function(
    function () use ( $bench_profiler ) {{
        $bench_profiler->stop();
        file_put_contents( '{SAMPLES}/' . getmypid(), $bench_profiler->getLog()->formatCollapsed(), FILE_APPEND );
    }}
);
"""
#: Titles of the processes that answer visitors, on ours and on stock Debian, and of the one that starts more of them.
WORKERS = "php-fpm: (master|pool (wordpress|www))"
#: The first pattern that is found in a stack, from its innermost frame outwards, says what the time was spent on.
AREAS = (
    ("object cache", r"object-cache|WP_Object_Cache|WordPress_HA_Cache|\bwp_cache_"),
    ("database driver and wpdb", r"\bwpdb::|mysqli|WordPress_HA_Database"),
    (
        "theme.json and global styles",
        r"WP_Theme_JSON|WordPress_HA_Theme|wp_get_global|global_styles|WP_Style_Engine|wp_style_engine|WP_Duotone",
    ),
    ("HTML and block parser", r"WP_HTML_|WP_Block_Parser|serialize_block|parse_blocks"),
    (
        "block registration",
        r"register_block|WP_Block_Type|WP_Block_Patterns|register_core_block|WP_Block_Styles|WP_Block_Bindings|WP_Icons",
    ),
    ("block rendering", r"WP_Block::|render_block|do_blocks|block_core_|WP_Block_Supports|wp_render_"),
    (
        "text filters (texturize, kses, escaping)",
        r"wptexturize|wp_kses|esc_|wpautop|convert_smilies|sanitize_|force_balance|make_clickable|do_shortcode",
    ),
    ("translations", r"WP_Translation|load_textdomain|translate|\b__$|\b_x$|get_translations"),
    (
        "scripts and styles",
        r"WP_Scripts|WP_Styles|WP_Dependencies|WP_Script_Modules|wp_enqueue|wp_default_s|print_emoji",
    ),
    ("posts, terms, queries", r"WP_Query|WP_Post|WP_Term|get_the_terms|WP_Tax|get_permalink|WP_Rewrite|WP::"),
    ("roles and users", r"WP_User|WP_Roles|map_meta_cap|current_user_can"),
    ("options", r"get_option|wp_load_alloptions|update_option"),
    ("hooks", r"WP_Hook|apply_filters|do_action|add_filter|add_action"),
)


def area(stack: str) -> str:
    """Return what a folded stack's time was spent on: the areas are asked frame by frame, innermost first."""
    for frame in reversed(stack.split(";")[-12:]):
        for name, pattern in AREAS[:-1]:
            if re.search(pattern, frame):
                return name
    innermost = stack.rsplit(";", maxsplit=1)[-1]
    if "/" in innermost and "::" not in innermost:
        return "loading of files (their top-level code)"
    return "hooks" if re.search(AREAS[-1][1], stack) else "other"


def shares(folded: str) -> dict[str, Any]:
    """Count folded stacks (``a;b;c 3`` a line) by area and by innermost function; return shares of one, the largest first."""
    areas: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, _blank, count = line.rpartition(" ")
        if not count.isdigit():
            continue
        areas[area(stack)] += int(count)
        functions[re.sub(r"^/srv/wordpress/(?:trees/[^/]+|shared/site)/", "", stack.split(";")[-1])] += int(count)
    total = sum(areas.values()) or 1
    return {
        "samples": total,
        "areas": {name: count / total for name, count in areas.most_common()},
        "functions": {name: count / total for name, count in functions.most_common(25)},
    }


def system_calls(trace: str, requests: int) -> dict[str, float]:
    """Return strace's summary as calls per request, the most frequent first."""
    rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", trace, re.MULTILINE)
    return dict(
        sorted(((name, int(calls) / requests) for calls, name in rows if name != "total"), key=lambda row: -row[1])[:12]
    )


def profile(fleet: Fleet, name: str, pages: Mapping[str, str], requests: int) -> dict[str, Any]:
    """Profile pages on a machine whose PHP is changed for it: use a copy that was given the capability SYS_PTRACE."""
    machine = fleet[name]
    machine.shell(
        "apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends php8.4-excimer strace >/dev/null;"
        "phpdismod excimer",
        timeout=900,
    )
    headers = {what: {"cookie": site.cookies(machine)} if what == "edit.php" else None for what in pages}
    found: dict[str, Any] = {}
    traced = 20
    for (
        what,
        path,
    ) in pages.items():  # before the sampler is there, which costs something and may be woken less often than it asks
        load.burst(fleet, name, path, load.WARMING, headers=headers[what])
        cpu = load.burst(fleet, name, path, requests, headers=headers[what]).cpu
        workers = machine.shell(f"pgrep -d, -f '{WORKERS}'").strip()
        machine.shell(
            f"rm -f /tmp/strace; (strace -f -c -o /tmp/strace -p {workers} &) >/dev/null 2>/tmp/strace.said;"
            "n=0; until grep -q attached /tmp/strace.said; do n=$((n+1)); [ $n -lt 50 ] || { cat /tmp/strace.said; exit 1; }; sleep 0.1; done"
        )
        load.burst(fleet, name, path, traced, headers=headers[what])
        trace = machine.shell(
            "pkill -INT -x strace; while pgrep -x strace >/dev/null; do sleep 0.1; done; cat /tmp/strace"
        )
        found[what] = {"cpu": cpu, "calls": system_calls(trace, traced)}
    machine.run("sh", "-c", f"cat > {PRELUDE}", stdin=AGENT)
    machine.shell(  # in place of what a pool of ours begins with; of two such lines the first would hold. Stock Debian's pool has none
        f"mkdir -p {SAMPLES}; chown www-data: {SAMPLES}; phpenmod excimer;"
        "own=$(grep -rl '^php_value.auto_prepend_file' /etc/php/8.4/fpm || true);"
        f"if [ -n \"$own\" ]; then sed -i 's#^php_value.auto_prepend_file.*#php_value[auto_prepend_file] = {PRELUDE}#' $own;"
        f"else echo 'auto_prepend_file = {PRELUDE}' > /etc/php/8.4/fpm/conf.d/99-z-bench.ini; fi; systemctl restart php8.4-fpm"
    )
    for what, path in pages.items():
        load.burst(fleet, name, path, load.WARMING, headers=headers[what])
        machine.shell(f"rm -f {SAMPLES}/*")
        load.burst(fleet, name, path, requests, headers=headers[what])
        found[what] |= shares(machine.shell(f"cat {SAMPLES}/*"))
    return found
