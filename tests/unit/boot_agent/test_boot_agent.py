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
import shutil
import subprocess
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


@given(st.integers(128, 1_000_000), st.integers(1, 256))
def test_the_pool_fits_the_memory_and_the_processors(boot_agent, memory, processors):
    pool = {"children": 0, "memory_percent": 60, "child_memory_mb": 64}
    children = boot_agent.pool_children(memory, processors, pool)
    assert children >= 4
    assert children == 4 or (children * 64 <= memory * 0.6 and children <= 16 * processors)
    assert boot_agent.pool_children(memory, processors, pool | {"children": 7}) == 7


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
        "pool": {"children": 0, "memory_percent": 60, "child_memory_mb": 64},
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
        "size.conf": "0o644",
    }
    holders = {path.name for path in (tmp_path / "run").rglob("*") if path.is_file() and CANARY in path.read_text()}
    assert holders == {"contract.json", "wp-config.php"}
    agent.machine.changed.clear()
    prepared(agent)
    assert agent.machine.changed == []


def test_services_that_run_are_reloaded_only_for_a_difference(agent):
    prepared(agent)
    assert [asked for asked in agent.machine.systemctl.asked if asked.startswith("reload")] == [
        "reload nginx.service",
        "reload php-fpm.service",
    ]
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
    """P18: contract, files, mount, services, database, site, a warm page, and only then ready."""
    steps = []
    for name in (
        "read_contract",
        "write_files",
        "mount_shared",
        "start_services",
        "reach_database",
        "find_site",
        "warm",
    ):

        def step(name=name) -> None:
            assert not (tmp_path / "run/ready").exists()
            steps.append(name)

        monkeypatch.setattr(agent, name, step)
    agent.run()
    assert steps == [
        "read_contract",
        "write_files",
        "mount_shared",
        "start_services",
        "reach_database",
        "find_site",
        "warm",
    ]
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
