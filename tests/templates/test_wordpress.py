# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What wp-config.php and the units say, with the boot agent's references still in place."""

from __future__ import annotations

import os
import re
import subprocess

import pytest


def test_the_database_is_reached_over_verified_tls(render):
    config = render("wordpress/wp-config.php.j2")
    assert "MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT" in config
    assert "@{database/host} . ':' . @{database/port}" in config


@pytest.mark.parametrize(("given", "said"), [({}, "false"), ({"wordpress_database_persistent": True}, "true")])
def test_connections_to_the_database_are_kept_only_if_it_is_said(render, given, said):
    config = render("wordpress/wp-config.php.j2", **given)
    assert f"define( 'WORDPRESS_HA_DATABASE', array( 'persistent' => {said} ) );" in config


def test_without_the_drop_in_nothing_is_said_to_it(render):
    assert "WORDPRESS_HA_DATABASE" not in render("wordpress/wp-config.php.j2", wordpress_database_dropin=False)


def test_every_value_of_the_stack_is_a_reference(render):
    """P45: what is baked in names secrets, it does not hold them."""
    config = render("wordpress/wp-config.php.j2")
    for name in ("DB_PASSWORD", "AUTH_KEY", "NONCE_SALT", "WP_HOME", "WP_SITEURL"):
        assert re.search(rf"define\( '{name}', @\{{[a-zA-Z_/]+\}} \);", config), name
    assert len(re.findall(r"@\{secrets/salts/[A-Z_]+\}", config)) == 8


def test_nodes_neither_update_themselves_nor_let_visitors_run_cron(render):
    """P20, P26."""
    config = render("wordpress/wp-config.php.j2")
    assert "define( 'DISABLE_WP_CRON', true );" in config
    assert "define( 'AUTOMATIC_UPDATER_DISABLED', true );" in config


def test_own_object_cache_is_safe(render):
    """P9, P13."""
    config = render("wordpress/wp-config.php.j2")
    assert "'timeout'     => 0.25," in config
    assert "'max_ttl'     => 86400," in config
    assert "WP_REDIS" not in config


def test_own_object_cache_knows_users_and_serverless_caches(render):
    """R26: a user of its own, and a cache that takes one value at a time."""
    config = render("wordpress/wp-config.php.j2")
    assert "'user'        => @{secrets/cache/username}," in config
    assert "'serverless'  => 'true' === @{cache/serverless}," in config


def test_redis_cache_plugin_has_safe_settings(render):
    """P11-P14: none of these is the plugin's default."""
    config = render("wordpress/wp-config.php.j2", wordpress_object_cache="redis-cache")
    for name, value in {
        "WP_REDIS_PERSISTENT": "false",
        "WP_REDIS_RETRY_INTERVAL": "0",
        "WP_REDIS_MAXTTL": "86400",
        "WP_REDIS_DISABLE_GROUP_FLUSH": "true",
        "WP_REDIS_SELECTIVE_FLUSH": "true",
        "WP_REDIS_IGBINARY": "true",
    }.items():
        assert f"define( '{name}', {value} );" in config, name
    assert "'' === @{secrets/cache/username} ? @{secrets/cache/auth_token} : array(" in config
    assert "! in_array( @{cache/engine}, array( 'valkey', 'redis' ), true ) || 'true' === @{cache/serverless}" in config


def test_redis_cache_plugin_survives_an_outage(render):
    """P9: its defaults answer 500 while the cache is away."""
    config = render("wordpress/wp-config.php.j2", wordpress_object_cache="redis-cache")
    assert "define( 'WP_REDIS_GRACEFUL', true );" in config
    assert "define( 'WP_REDIS_READ_TIMEOUT', 0.25 );" in config
    assert "WORDPRESS_HA_CACHE" not in config


def test_no_object_cache(render):
    config = render("wordpress/wp-config.php.j2", wordpress_object_cache="none")
    assert "WP_REDIS" not in config
    assert "WORDPRESS_HA_CACHE" not in config


def test_further_constants_keep_their_types(render):
    config = render("wordpress/wp-config.php.j2", wordpress_constants={"WP_DEBUG": False, "A": "it's \\ a", "N": 3})
    assert "define( 'WP_DEBUG', json_decode( 'false', true ) );" in config
    assert "define( 'N', json_decode( '3', true ) );" in config
    assert r"""json_decode( '"it\'s \\\\ a"', true )""" in config


def test_the_stub_on_the_shared_files_only_points_to_memory(render):
    stub = render("wordpress/wp-config-stub.php.j2")
    assert "require '/run/wordpress_ha/wp-config.php';" in stub
    assert stub.rstrip().endswith("require_once ABSPATH . 'wp-settings.php';")  # WP-CLI looks for this line
    assert "@{" not in stub


@pytest.mark.parametrize("interval", [60, 300])
def test_cron_runs_as_the_web_server_when_the_node_is_ready(render, interval):
    service = render("wordpress/wordpress-ha-cron.service.j2")
    assert "User=www-data" in service
    assert "ConditionPathExists=/run/wordpress_ha/ready" in service
    assert f"OnUnitInactiveSec={interval}s" in render(
        "wordpress/wordpress-ha-cron.timer.j2", wordpress_cron_interval=interval
    )


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (("replica", False, ""), "wp-cli.yml"),
        (("efs", False, ""), "wp-cli.yml"),
        (("release", False, ""), "wp-cli-release.yml"),
        (("", False, ""), "wp-cli.yml"),  # before the boot agent has said
        (("release", True, ""), "unset"),
        (("replica", False, "/my/own.yml"), "/my/own.yml"),
    ],
)
def test_wp_cli_works_where_code_may_be_changed(render, tmp_path, setting, expected):
    """On a node's own copy a change would reach no other node; whoever has settings of his own is asked nothing."""
    mode, home_config, given = setting
    script = render("wordpress/wp.sh.j2")
    (tmp_path / "nginx").mkdir()
    if mode:
        (tmp_path / "nginx/storage.conf").write_text(f"map $host $wordpress_ha_storage {{ default {mode}; }}\n")
    (tmp_path / "phar").write_text('#!/bin/sh\necho "${WP_CLI_CONFIG_PATH:-unset} $*"\n')
    (tmp_path / "phar").chmod(0o755)
    if home_config:
        (tmp_path / ".wp-cli").mkdir()
        (tmp_path / ".wp-cli/config.yml").touch()
    script = script.replace("/run/wordpress_ha", str(tmp_path))
    script = script.replace("/usr/local/lib/wordpress_ha/wp-cli.phar", str(tmp_path / "phar"))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | ({"WP_CLI_CONFIG_PATH": given} if given else {})
    done = subprocess.run(
        ["sh", "-c", script, "wp", "plugin", "list"], check=True, capture_output=True, text=True, env=environment
    )
    assert done.stdout.split()[0].removeprefix("/etc/wordpress_ha/") == expected
    assert done.stdout.split()[1:] == ["plugin", "list"]


def test_releases_switch_the_dashboards_changes_off(render):
    """What a node of releases would install nobody else had."""
    assert "if ( 'release' === @{storage/mode} ) {\n\tdefine( 'DISALLOW_FILE_MODS', true );" in render(
        "wordpress/wp-config.php.j2"
    )


def test_no_page_cache_loads_unless_the_operator_says_so(render):
    """R6, P46: neither by a plugin's line in the stub nor by its drop-in."""
    config = render("wordpress/wp-config.php.j2")
    allowed = "isset( WORDPRESS_HA_GUARD['allowed']['advanced-cache.php'] )"
    assert config.index("json_decode( @{guard/allowed}, true )") < config.index(allowed)
    assert f"defined( 'WP_CACHE' ) || define( 'WP_CACHE', {allowed} );" in config
    assert config.index(f"if ( ! {allowed} ) {{") < config.index("enable_loading_advanced_cache_dropin")


@pytest.mark.parametrize(("cache", "own"), [("drop-in", "true"), ("redis-cache", "true"), ("none", "false")])
def test_the_guard_knows_whether_the_object_cache_must_be_ours(render, cache, own):
    config = render("wordpress/wp-config.php.j2", wordpress_object_cache=cache)
    assert f"'own_object_cache' => {own}," in config


def test_mail_is_a_matter_of_the_stack(render):
    """P39: one image serves any transport, and its login exists in memory only."""
    config = render("wordpress/wp-config.php.j2")
    for leaf in (
        "mail/transport",
        "mail/from",
        "mail/host",
        "mail/region",
        "secrets/mail/username",
        "secrets/mail/password",
    ):
        assert f"@{{{leaf}}}" in config, leaf
    assert "@{mail/transport} ?: 'none'" in config


def test_sessions_are_off_unless_the_stack_wants_them(render):
    """P38: switched on, their address is a constant: PHP would write that of phpredis's own handler, password and all, into its log."""
    config = render("wordpress/wp-config.php.j2")
    on = config.index("if ( 'cache' === @{sessions/store} ) {")
    assert on < config.index("'WORDPRESS_HA_SESSIONS'") < config.index("@{secrets/cache/auth_token}", on)
    assert "session.save_path" not in config
    assert "session.save_path = /nonexistent" in render("web_node/php.ini.j2")


def test_the_guard_and_the_mail_are_on_every_site(render_text):
    plugins = render_text("wordpress", "{{ __wordpress_must_use_plugins }}", wordpress_purge=False)
    assert "wordpress-ha-guard.php" in plugins and "wordpress-ha-mail.php" in plugins
