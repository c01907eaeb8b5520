# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PHP-FPM's files, and all of the role's templates on each system it knows; only Debian 13 is run by other tests."""

from __future__ import annotations

import configparser
import json
import re
from typing import Any

import pytest
from role_files import ROLES, role_variables

#: What Ansible finds out about a system, and the files that the role then loads.
SYSTEMS = {
    "Debian 13": ("Debian", "Debian", "13", ("debian", "debian-13"), "8.4", "www-data"),
    "Debian 12": ("Debian", "Debian", "12", ("debian", "debian-12"), "8.2", "www-data"),
    "Ubuntu 24.04": ("Debian", "Ubuntu", "24", ("debian", "ubuntu-24"), "8.3", "www-data"),
    "Amazon Linux 2023": ("RedHat", "Amazon", "2023", ("amazon-2023",), "8.3", "nginx"),
}
TEMPLATES = sorted(
    str(path.relative_to(ROLES / "web_node/templates")) for path in (ROLES / "web_node/templates").rglob("*.j2")
)
#: PHP functions that WordPress 7.1.1 calls without asking first whether they exist, of those that hosters like to disable.
CALLED = {
    "disk_free_space",
    "fsockopen",
    "getmypid",
    "ini_set",
    "mail",
    "php_uname",
    "posix_getpwuid",
    "set_time_limit",
}


@pytest.fixture(params=SYSTEMS)
def system(request) -> dict[str, Any]:
    """Return the variables of a system."""
    family, distribution, major, files, version, user = SYSTEMS[request.param]
    facts = {
        "os_family": family,
        "distribution": distribution,
        "distribution_major_version": major,
        "architecture": "x86_64",
    }
    own = role_variables("web_node", files)
    gone = {name: None for name in role_variables("web_node") if name not in own}
    return gone | own | {"ansible_facts": facts, "expected_version": version, "expected_user": user}


def sections(text: str) -> configparser.ConfigParser:
    """Return a file in the manner of PHP-FPM and systemd; a key may come again."""
    parser = configparser.ConfigParser(
        strict=False, interpolation=None, comment_prefixes=(";", "#"), delimiters=("=",), empty_lines_in_values=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


def directives(text: str) -> dict[str, str]:
    """Return the settings of a php.ini, the last of each."""
    return dict(re.findall(r"^([a-z_.A-Z]+) = ?(.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_renders_on_every_system(render, system, template):
    text = render(f"web_node/{template}", **system)
    assert text.strip()
    assert "None" not in re.sub(r"If-None-Match|None\b(?=[ .,])", "", text), "a name that this system's file lacks"


def test_the_files_are_those_that_the_role_loads(render_text, system):
    loaded = json.loads(render_text("web_node", "{{ __web_node_vars_files | to_json }}", **system))
    assert (ROLES / "web_node/vars" / loaded[-1]).is_file()
    files = next(known[3] for known in SYSTEMS.values() if f"{known[1].lower()}-{known[2]}.yml" == loaded[-1])
    there = [name for name in dict.fromkeys(loaded) if (ROLES / "web_node/vars" / name).is_file()]
    assert there == [f"{name}.yml" for name in files]


def test_names_of_php_agree_on_every_system(render_text, system):
    names = (
        "__web_node_wanted",
        "__web_node_php_fpm_service",
        "__web_node_php_fpm_binary",
        "__web_node_php_ini_dirs",
        "__web_node_php_pool_dir",
        "__web_node_php_fpm_log",
    )
    found = {name: json.loads(render_text("web_node", f"{{{{ {name} | to_json }}}}", **system)) for name in names}
    version, packages = system["expected_version"], found["__web_node_wanted"]
    for part in ("cli", "fpm", "gd", "intl", "mbstring", "xml", "zip"):
        assert f"php{version}-{part}" in packages
    assert {"nginx", "python3-botocore", "python3-brotli"} <= set(packages)
    if system["ansible_facts"]["os_family"] == "Debian":
        assert {f"php{version}-redis", f"php{version}-igbinary", f"php{version}-mysql", "nfs-common"} <= set(packages)
        assert found["__web_node_php_fpm_service"] == f"php{version}-fpm.service"
        assert found["__web_node_php_fpm_binary"].endswith(f"php-fpm{version}")
        assert found["__web_node_php_ini_dirs"] == [f"/etc/php/{version}/{name}/conf.d" for name in ("fpm", "cli")]
        assert found["__web_node_php_fpm_log"] == f"/var/log/php{version}-fpm.log"
    else:
        assert {f"php{version}-mysqlnd", f"php{version}-opcache", "nfs-utils"} <= set(packages)
        assert found["__web_node_php_fpm_service"] == "php-fpm.service"
        assert found["__web_node_php_ini_dirs"] == ["/etc/php.d"]


def test_the_logs_that_are_shipped_are_those_that_php_writes(render_text, system):
    shipped = json.loads(render_text("web_node", "{{ __web_node_cloudwatch_files | to_json }}", **system))
    assert render_text("web_node", "{{ __web_node_php_fpm_log }}", **system) in [one["file_path"] for one in shipped]


def test_pools_have_their_users_and_sockets_on_every_system(render, system):
    pools = sections(render("web_node/pools.conf.j2", **system))
    assert set(pools.sections()) == {"global", "health", "author", "wordpress"}
    sockets = [pools[name]["listen"] for name in ("health", "author", "wordpress")]
    assert sockets == [f"/run/php/wordpress_ha{part}.sock" for part in ("-health", "-author", "")]
    for name in ("health", "author", "wordpress"):
        assert pools[name]["user"] == pools[name]["listen.owner"] == system["expected_user"]
        assert pools[name]["listen.mode"] == "0660"
        assert pools[name]["env[WORDPRESS_HA_POOL]"] == name


def test_only_authors_see_each_change_and_the_size_comes_last(render):
    """P1, P16: what the boot agent writes is in force for the visitors' pool."""
    text = render("web_node/pools.conf.j2")
    pools = sections(text)
    assert pools["author"]["php_admin_flag[opcache.validate_timestamps]"] == "on"
    assert 0 <= int(pools["author"]["php_admin_value[opcache.revalidate_freq]"]) <= 2
    assert text.rindex("[wordpress]") < text.index("include = /run/wordpress_ha/php-fpm/*.conf")
    assert text.rstrip().endswith("include = /run/wordpress_ha/php-fpm/*.conf")


@pytest.mark.parametrize("timeout", [5, 60, 900])
def test_a_request_ends_before_nginx_gives_up_and_a_worker_is_waited_for(render, timeout):
    """P8, P44: PHP-FPM looks every third of its shortest time-out only, so the longest possible life counts."""
    pools = sections(render("web_node/pools.conf.j2", web_node_timeout=timeout))
    times = {name: int(pools[name]["request_terminate_timeout"].rstrip("s")) for name in pools.sections()[1:]}
    latest = times["wordpress"] + min(times.values()) / 3
    waits = re.findall(
        r"fastcgi_read_timeout (\d+)s", render("web_node/nginx.conf.j2", web_node_timeout=timeout), re.MULTILINE
    )
    assert timeout < times["wordpress"] == times["author"] < latest < max(map(int, waits))
    assert int(pools["global"]["process_control_timeout"].rstrip("s")) >= times["wordpress"]
    service = render("web_node/php-fpm.service.conf.j2", web_node_timeout=timeout)
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", service, re.MULTILINE)[0]) > times["wordpress"]


def test_who_waited_too_long_is_sent_away_by_visitors_workers_only(render):
    """Load is shed where it is cheap, and never from those who change code or say whether the node lives."""
    pools = sections(render("web_node/pools.conf.j2", web_node_php_queue_seconds=3))
    assert pools["wordpress"]["php_value[auto_prepend_file]"] == "/usr/local/lib/wordpress_ha/shed.php"
    assert pools["wordpress"]["env[WORDPRESS_HA_QUEUE_SECONDS]"] == "3"
    assert not any("auto_prepend_file" in key for name in ("author", "health") for key in pools[name])
    assert "auto_prepend_file" not in render("web_node/pools.conf.j2", web_node_php_queue_seconds=0)
    assert "fastcgi_param WORDPRESS_HA_SENT $msec;" in render("web_node/nginx.conf.j2")


def test_what_core_calls_stays_and_what_starts_programs_goes(render, defaults):
    off = set(defaults("web_node")["web_node_php_disabled_functions"])
    assert {"exec", "passthru", "popen", "proc_open", "shell_exec", "system"} <= off
    assert not off & CALLED
    pools = sections(render("web_node/pools.conf.j2"))
    for name in ("health", "author", "wordpress"):
        assert set(pools[name]["php_admin_value[disable_functions]"].split(",")) == off
    # WP-CLI reads this file, too, and starts programs.
    assert "disable_functions" not in render("web_node/php.ini.j2")
    assert "disable_functions" not in render("web_node/pools.conf.j2", web_node_php_disabled_functions=[])


def test_the_unit_stops_gracefully_and_is_confined(render, system):
    lines = render("web_node/php-fpm.service.conf.j2", **system).splitlines()
    for line in (
        "KillSignal=SIGQUIT",
        "KillMode=mixed",
        "RequiresMountsFor=/srv/wordpress/shared",
        "MemorySwapMax=0",
        "NoNewPrivileges=yes",
        "PrivateTmp=yes",
        "ProtectSystem=strict",
        "ReadOnlyPaths=-/srv/wordpress/trees",
    ):
        assert line in lines
    # PCRE's JIT writes code, and a parent folder's setgid bit is passed on by wp_mkdir_p.
    assert not any(line.startswith(("MemoryDenyWriteExecute=", "RestrictSUIDSGID=")) for line in lines)


def test_sizes_hold_until_the_boot_agent_has_counted(render):
    """P17."""
    computed = directives(render("web_node/php.ini.j2"))
    assert (computed["opcache.memory_consumption"], computed["opcache.max_accelerated_files"]) == ("128", "16229")
    given = directives(render("web_node/php.ini.j2", web_node_opcache_memory_mb=300, web_node_opcache_files=40000))
    assert (given["opcache.memory_consumption"], given["opcache.max_accelerated_files"]) == ("300", "40000")
    pool = json.loads(render("web_node/agent.json.j2", web_node_opcache_memory_mb=300, web_node_php_memory_limit="1G"))[
        "pool"
    ]
    assert (pool["opcache_memory_mb"], pool["memory_limit_mb"], pool["opcache_files"]) == (300, 1024, 0)


def test_no_secret_and_no_foreign_code_comes_by_php(render):
    found = directives(render("web_node/php.ini.j2"))
    assert found["display_errors"] == found["allow_url_include"] == found["expose_php"] == "Off"
    assert found["zend.exception_ignore_args"] == "On"
    assert found["session.cookie_httponly"] == found["session.use_strict_mode"] == "1"


def test_the_metrics_look_each_minute_and_only_on_a_ready_node(render):
    service = render("web_node/wordpress-ha-metrics.service.j2").splitlines()
    for line in ("ConditionPathExists=/run/wordpress_ha/ready", "ProtectSystem=strict", "StateDirectory=wordpress_ha"):
        assert line in service
    assert "OnUnitInactiveSec=60s" in render("web_node/wordpress-ha-metrics.timer.j2").splitlines()
    agent = json.loads(render("web_node/agent.json.j2"))
    pools = sections(render("web_node/pools.conf.j2"))
    assert agent["fpm_status"] == pools["wordpress"]["pm.status_listen"]
    assert agent["fpm_health"] == pools["health"]["listen"]
