# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What wp-config.php and the units say, with the boot agent's references still in place."""

from __future__ import annotations

import re

import pytest


def test_the_database_is_reached_over_verified_tls(render):
    config = render("wordpress/wp-config.php.j2")
    assert "MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_VERIFY_SERVER_CERT" in config
    assert "@{database/host} . ':' . @{database/port}" in config


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
