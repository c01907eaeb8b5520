# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The boot agent: what it makes of a contract, what it waits for, and that it tells no secret."""

from __future__ import annotations

import copy
import grp
import itertools
import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

PREFIX = "/wordpress_ha/blog/"
CANARY = "canary-7f3a"


@pytest.fixture
def contract(boot_agent) -> dict[str, Any]:
    tree = boot_agent.nest(
        {
            f"{PREFIX}{leaf}": value
            for leaf, value in {
                "site/url": "https://blog.example.com",
                "site/domain": "blog.example.com",
                "storage/mode": "efs",
                "storage/mount_what": "fs-1.efs.us-east-1.amazonaws.com:/",
                "storage/mount_type": "nfs4",
                "storage/mount_options": "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport",
                "database/host": "db.example.com",
                "database/port": "3306",
                "database/name": "wordpress",
                "database/user_secret_arn": "arn:db",
                "cache/engine": "valkey",
                "cache/host": "cache.example.com",
                "cache/secret_arn": "arn:cache",
                "secrets/salts_arn": "arn:salts",
                "network/trusted_proxies": "10.40.0.0/24, 10.40.1.0/24",
            }.items()
        },
        PREFIX,
    )
    tree["secrets"] |= {
        "database": {"username": "wp", "password": CANARY},
        "cache": {"auth_token": CANARY},
        "salts": dict.fromkeys(boot_agent.SECRETS["salts"], CANARY),
    }
    return tree


def test_parameters_become_a_tree(boot_agent):
    assert boot_agent.nest({"/wordpress_ha/blog/site/url": "u", "/wordpress_ha/blog/a": "b"}, PREFIX) == {
        "site": {"url": "u"},
        "a": "b",
    }


def test_a_whole_contract_lacks_nothing(boot_agent, contract):
    assert boot_agent.missing(contract) == []


@pytest.mark.parametrize(
    "path",
    [
        "site/url",
        "database/host",
        "cache/host",
        "secrets/database/password",
        "secrets/cache/auth_token",
        "secrets/salts/NONCE_KEY",
    ],
)
def test_what_is_missing_is_named(boot_agent, contract, path):
    *branches, last = path.split("/")
    node = contract
    for branch in branches:
        node = node[branch]
    node[last] = ""
    assert boot_agent.missing(contract) == [path]


def test_without_a_cache_nothing_of_it_is_asked_for(boot_agent, contract):
    contract["cache"] = {"engine": "none"}
    del contract["secrets"]["cache"]
    assert boot_agent.missing(contract) == []
    assert dict(boot_agent.references(contract)) == {"database": "arn:db", "salts": "arn:salts"}


def test_the_login_of_a_mail_server_is_read_where_there_is_one(boot_agent, contract):
    """P39."""
    assert "mail" not in dict(boot_agent.references(contract))
    contract["mail"] = {"transport": "smtp", "secret_arn": "arn:mail"}
    assert dict(boot_agent.references(contract))["mail"] == "arn:mail"


def test_a_node_does_not_read_the_administrators_secret(boot_agent, contract):
    contract["site"]["admin_secret_arn"] = "arn:admin"
    assert "arn:admin" not in dict(boot_agent.references(contract)).values()


def test_templates_hold_php_literals(boot_agent, contract):
    contract["secrets"]["database"]["password"] = "it's \\ $x @{site/url}"
    assert boot_agent.render("define('P', @{secrets/database/password});", contract) == (
        "define('P', 'it\\'s \\\\ $x @{site/url}');"
    )
    assert boot_agent.render("@{cache/nothing}", contract) == "''"


@given(st.text())
@example("\\'")
@example("\\\\'; evil(); //")
def test_a_php_literal_ends_where_it_should(boot_agent, text):
    """Read it as PHP does: no text can leave its quotes."""
    literal = boot_agent.php_literal(text)
    inner, read = iter(literal[1:-1]), ""
    for character in inner:
        assert character != "'"
        read += next(inner) if character == "\\" else character
    assert read == text


@pytest.mark.skipif(
    shutil.which("php") is None, reason="no php here; Molecule's database password holds such characters"
)
@pytest.mark.parametrize("text", ["it's", "back\\slash\\", "$dollar {$x}", "?>", "ü\n"])
def test_php_reads_the_literal(boot_agent, text):
    code = f"echo {boot_agent.php_literal(text)};"
    assert subprocess.run(["php", "-r", code], check=True, capture_output=True, text=True).stdout == text


def test_trusted_peers_are_the_balancers_networks_and_the_machine(boot_agent):
    assert boot_agent.trusted_peers("10.40.0.0/24,10.40.1.7/24,") == ["127.0.0.1/32", "10.40.0.0/24", "10.40.1.0/24"]
    with pytest.raises(ValueError):
        boot_agent.trusted_peers("10.40.0.0/24; allow all")


def test_the_mount_unit_carries_the_documents_options(boot_agent, contract):
    """R40, R41."""
    unit = boot_agent.mount_unit(contract, "/srv/wordpress/shared")
    assert "What=fs-1.efs.us-east-1.amazonaws.com:/\nWhere=/srv/wordpress/shared\nType=nfs4\n" in unit
    assert "Options=nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport\n" in unit


def test_memory_is_what_the_control_group_leaves(boot_agent):
    assert boot_agent.memory_mb("MemTotal:        2048000 kB\n", "max\n") == 2000
    assert boot_agent.memory_mb("MemTotal:        2048000 kB\n", str(512 * 1024 * 1024)) == 512
    assert boot_agent.memory_mb("MemTotal:        2048000 kB\n", "") == 2000


class Systemctl:
    """Stands in for systemctl: remembers what it was asked."""

    def __init__(self, *broken: str) -> None:
        self.broken, self.asked = broken, []

    def __call__(self, *arguments: str, timeout: float = 0) -> bool:
        self.asked.append(" ".join(arguments))
        return not any(word in self.asked[-1] for word in self.broken)


@pytest.fixture
def agent(boot_agent, contract, tmp_path, monkeypatch):
    """An agent on a machine of its own: everything below a temporary folder, no systemd, a clock that costs nothing."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/wp-config.php").write_text("<?php define( 'DB_PASSWORD', @{secrets/database/password} );\n")
    source = tmp_path / "contract.json"
    source.write_text(json.dumps(contract))
    config = {
        "source": "file",
        "path": str(source),
        "templates": str(tmp_path / "templates"),
        "run_dir": str(tmp_path / "run"),
        "shared": "/srv/wordpress/shared",
        "docroot": str(tmp_path / "docroot"),
        "ca_bundle": "/etc/ssl/certs/ca-certificates.crt",
        "database_ca_file": "/etc/ssl/certs/ca-certificates.crt",
        "fpm_service": "php-fpm.service",
        "web_service": "nginx.service",
        "request_timeout": 5,
        "pool": {"children": 0, "memory_percent": 60, "child_memory_mb": 64, "memory_limit_mb": 256},
        "worker_notes": [],
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "group": grp.getgrgid(os.getgid()).gr_name,
        "trees": str(tmp_path / "trees"),
        "lib": str(tmp_path),
        "fpm_socket": str(tmp_path / "php.sock"),
        "releases_kept": 3,
        "scan_seconds": 20,
    }
    clock = {"now": 0.0}
    monkeypatch.setattr(boot_agent.time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(boot_agent.time, "sleep", lambda seconds: clock.update(now=clock["now"] + seconds))
    made = boot_agent.Agent(config, boot_agent.Machine(grp.getgrgid(os.getgid()).gr_name), deadline=600)
    monkeypatch.setattr(boot_agent.os, "chown", lambda *_arguments: None)
    made.machine.systemctl = Systemctl()
    made.clock = clock
    return made


def prepared(agent) -> None:
    agent.read_contract()
    agent.write_files()


def test_files_are_written_once_and_secrets_only_where_few_may_read(agent, tmp_path):
    """P45."""
    prepared(agent)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert modes == {
        "contract.json": "0o600",
        "edge.json": "0o644",
        "wp-config.php": "0o640",
        "trusted_peers.conf": "0o644",
        "real_ip.conf": "0o644",
    }
    holders = {path.name for path in (tmp_path / "run").rglob("*") if path.is_file() and CANARY in path.read_text()}
    assert holders == {"contract.json", "wp-config.php"}
    agent.machine.changed.clear()
    prepared(agent)
    assert agent.machine.changed == []


def test_services_that_run_are_reloaded_only_for_a_difference(agent):
    prepared(agent)
    asked = [words for words in agent.machine.systemctl.asked if words.startswith("reload")]
    assert asked == ["reload nginx.service", "reload php-fpm.service"]  # OPcache keeps a password that was rotated
    agent.machine.systemctl.asked.clear()
    prepared(agent)
    assert agent.machine.systemctl.asked == []


def test_a_node_without_a_mount_in_its_contract_mounts_nothing(agent):
    agent.read_contract()
    agent.contract["storage"]["mount_what"] = ""
    agent.mount_shared()
    assert agent.machine.systemctl.asked == []


def test_a_mount_that_fails_is_tried_again(boot_agent, agent, monkeypatch):
    """P18: never ready without the mount."""
    monkeypatch.setattr(agent.machine, "write", lambda *_arguments, **_options: True)
    agent.read_contract()
    agent.machine.systemctl = Systemctl("start", "is-failed")
    with pytest.raises(boot_agent.NotYet, match=r"srv-wordpress-shared\.mount"):
        agent.mount_shared()
    assert "daemon-reload" in agent.machine.systemctl.asked


def test_waiting_grows_to_a_bound_and_ends(boot_agent, agent, capsys):
    waits = []

    def never() -> None:
        waits.append(agent.clock["now"])
        raise boot_agent.NotYet("not there")

    with pytest.raises(SystemExit, match="gave up on database: not there"):
        agent.until_done("database", never)
    pauses = [round(later - earlier, 3) for earlier, later in itertools.pairwise(waits)]
    assert pauses == sorted(pauses)
    assert max(pauses) == 15
    assert waits[-1] <= 600
    assert "database: not there; again in 1 s" in capsys.readouterr().out


def test_an_incomplete_contract_is_waited_for_and_named_without_values(boot_agent, agent, contract, tmp_path, capsys):
    broken = copy.deepcopy(contract)
    broken["database"]["host"] = ""
    (tmp_path / "contract.json").write_text(json.dumps(broken))
    with pytest.raises(SystemExit, match="it lacks database/host"):
        agent.prepare()
    assert CANARY not in capsys.readouterr().out


def test_the_ready_marker_comes_last(agent, tmp_path, monkeypatch):
    """P18: contract, files, mount, the code, services, database, site, a warm OPcache and page, and only then ready."""
    steps = []
    expected = [
        "read_contract",
        "write_files",
        "mount_shared",
        "take_code",
        "size_php",
        "start_services",
        "reach_database",
        "find_site",
        "warm_opcache",
        "warm",
        "follow_code",
    ]
    for name in expected:

        def step(name=name) -> None:
            assert not (tmp_path / "run/ready").exists()
            steps.append(name)

        monkeypatch.setattr(agent, name, step)
    agent.run()
    assert steps == expected
    assert (tmp_path / "run/ready").exists()


def test_a_site_without_its_config_is_not_ready(boot_agent, agent, tmp_path):
    with pytest.raises(boot_agent.NotYet, match=r"wp-config\.php is not there"):
        agent.find_site()
    (tmp_path / "docroot/wp-includes").mkdir(parents=True)
    (tmp_path / "docroot/wp-config.php").touch()
    (tmp_path / "docroot/wp-includes/version.php").touch()
    agent.find_site()


def test_sealing_looks_for_every_secret_but_no_reference(seal, contract, tmp_path, monkeypatch):
    (tmp_path / "contract.json").write_text(json.dumps(contract))
    monkeypatch.setattr(seal, "CONTRACTS", (tmp_path / "contract.json", tmp_path / "absent"))
    assert seal.secrets() == {CANARY.encode()}


def test_sealing_names_the_file_that_holds_a_secret(seal, tmp_path, monkeypatch):
    clean, leaking = tmp_path / "clean", tmp_path / "leaking"
    clean.write_text("nothing")
    leaking.write_text(f"password={CANARY}")
    monkeypatch.setattr(seal, "files", lambda: iter([clean, leaking]))
    assert seal.holders({CANARY.encode()}) == [str(leaking)]


@pytest.fixture
def shared(agent, tmp_path) -> Path:
    """A WordPress on the shared files, and a document root that points nowhere yet."""
    site = tmp_path / "shared/site"
    (site / "wp-includes").mkdir(parents=True)
    (site / "wp-config.php").write_text("<?php")
    (site / "wp-includes/version.php").write_text("<?php")
    agent.config["shared"] = str(tmp_path / "shared")
    (tmp_path / "docroot").symlink_to(site)
    agent.read_contract()
    return site


def storage(agent, mode: str) -> str:
    agent.contract["storage"]["mode"] = mode
    agent.take_code()
    return (agent.run_dir / "nginx/storage.conf").read_text()


def test_each_storage_mode_has_its_document_root(agent, shared, tmp_path):
    """R40: `efs` runs the shared files themselves; otherwise the node has a copy, and nginx knows where authors work."""
    assert storage(agent, "efs") == "map $host $wordpress_ha_storage { default efs; }\n"
    assert (tmp_path / "docroot").resolve() == shared
    assert storage(agent, "replica") == "map $host $wordpress_ha_storage { default replica; }\n"
    copy = (tmp_path / "docroot").resolve()
    assert copy.parent == tmp_path / "trees"
    assert (copy / "wp-config.php").read_text() == "<?php"
    assert storage(agent, "replica")
    assert (tmp_path / "docroot").resolve() == copy
    storage(agent, "efs")
    assert (tmp_path / "docroot").resolve() == shared


def test_a_code_agent_of_another_mode_is_stopped_before_the_switch(agent, shared, tmp_path):
    """It would see a document root that is no copy of the marker's generation, and point it back."""
    storage(agent, "replica")
    (agent.run_dir / "code.json").write_text('{"mode": "replica"}')
    agent.machine.systemctl.asked.clear()
    storage(agent, "replica")
    assert "stop wordpress-ha-code.service" not in agent.machine.systemctl.asked
    storage(agent, "efs")
    assert "stop wordpress-ha-code.service" in agent.machine.systemctl.asked


def test_an_unknown_storage_mode_is_named(boot_agent, agent):
    agent.read_contract()
    agent.contract["storage"]["mode"] = "nfs"
    with pytest.raises(boot_agent.NotYet, match="storage/mode is nfs; it must be one of replica, efs, release"):
        agent.take_code()


def test_an_image_with_a_copy_copies_only_what_differs(agent, shared, tmp_path):
    storage(agent, "replica")
    old = (tmp_path / "docroot").resolve()
    kept = (old / "wp-config.php").stat().st_ino
    agent.node = None  # another boot
    (shared / "wp-content").mkdir()
    (shared / "wp-content/new.php").write_text("<?php")
    storage(agent, "replica")
    new = (tmp_path / "docroot").resolve()
    assert new != old
    assert (new / "wp-content/new.php").exists()
    assert (new / "wp-config.php").stat().st_ino == kept


@pytest.mark.parametrize("mode", ["replica", "efs", "release"])
def test_without_the_shared_site_no_node_becomes_ready(boot_agent, agent, shared, mode):
    """P18: an unmounted file system is an empty folder."""
    shared.rename(shared.with_name("elsewhere"))
    shared.mkdir()
    with pytest.raises(boot_agent.NotYet, match="holds no WordPress"):
        storage(agent, mode)


def test_a_node_that_is_ready_keeps_its_copy_while_the_shared_files_are_away(agent, shared, tmp_path):
    storage(agent, "replica")
    live = (tmp_path / "docroot").resolve()
    (agent.run_dir / "ready").touch()
    shutil.rmtree(tmp_path / "shared")
    storage(agent, "replica")
    assert (tmp_path / "docroot").resolve() == live


def test_php_is_sized_for_the_code_it_runs(agent, shared):
    """P17."""
    agent.contract["storage"]["mode"] = "replica"
    agent.size_php()
    pool = (agent.run_dir / "php-fpm/size.conf").read_text()
    assert "php_admin_flag[opcache.validate_timestamps] = off" in pool
    assert "opcache.max_accelerated_files" in (agent.run_dir / "php/sizes.ini").read_text()
    assert "reload php-fpm.service" in agent.machine.systemctl.asked
    agent.machine.systemctl.asked.clear()
    agent.size_php()
    assert agent.machine.systemctl.asked == []
    agent.contract["storage"]["mode"] = "efs"
    agent.size_php()
    assert "validate_timestamps = off" not in (agent.run_dir / "php-fpm/size.conf").read_text()


def test_an_image_carries_the_live_copy_alone(agent, seal, shared, tmp_path):
    storage(agent, "replica")
    (tmp_path / "trees/20200101T000000-1").mkdir()
    (tmp_path / "trees/20200101T000000-1.json").write_text("{}")
    (tmp_path / "trees/warm.json").write_text("[]")
    live = (tmp_path / "docroot").resolve().name
    seal.forget_trees(tmp_path / "trees", tmp_path / "docroot")
    left = {path.name for path in (tmp_path / "trees").iterdir()} - {".lock"}
    assert left == {live, f"{live}.json", f"{live}.safe", "warm.json"}
