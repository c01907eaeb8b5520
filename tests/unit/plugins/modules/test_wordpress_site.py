# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The site: seeded whole or not at all, resumed after a kill, installed once, and no password on a command line."""

from __future__ import annotations

import getpass
import grp
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _node
from ansible_collections.wordpress_ha.aws.plugins.modules import wordpress_site as subject

CONTRACT = {
    "site": {"url": "https://example.com", "title": "A title", "admin_user": "owner", "admin_email": "o@example.com"},
    "database": {"name": "wordpress"},
}


class Failed(Exception):
    """What fail_json raises here."""


class Options:
    """A cursor that answers for the options table; no table while there are no options."""

    def __init__(self, **options: str) -> None:
        self.options = options
        self.row: Any = None

    def execute(self, statement: str, values: tuple[str, ...]) -> None:
        if not self.options:
            raise _node.pymysql.ProgrammingError(subject.NO_SUCH_TABLE, "no such table")
        self.row = (self.options[values[0]],) if values[0] in self.options else None

    def fetchone(self) -> Any:
        return self.row


@pytest.fixture
def site(tmp_path):
    """A release with two files, an empty shared directory, an empty database; WP-CLI only remembers what it was asked."""
    release = tmp_path / "release"
    (release / "wp-includes").mkdir(parents=True)
    (release / "wp-content/plugins").mkdir(parents=True)
    (release / "wp-includes/version.php").write_text("<?php // version")
    (release / "index.php").write_text("<?php // index")
    (tmp_path / "shared").mkdir()
    (tmp_path / "stub.php").write_text("<?php // stub")
    (tmp_path / "drop-in.php").write_text("<?php // Plugin Name: WordPress HA object cache")
    calls: list[tuple[list[str], str | None]] = []

    def run_command(command: list[str], data: str | None = None, **_options: Any) -> tuple[int, str, str]:
        calls.append((command, data))
        return 0, "", ""

    def fail_json(msg: str) -> None:
        raise Failed(msg)

    module = SimpleNamespace(
        params={
            "release": str(release),
            "site": str(tmp_path / "shared/site"),
            "state_dir": str(tmp_path / "shared/state"),
            "config": str(tmp_path / "stub.php"),
            "object_cache": str(tmp_path / "drop-in.php"),
            "database": "",
            "must_use_plugins": [],
            "plugins": {},
            "owner": getpass.getuser(),
            "group": grp.getgrgid(os.getgid()).gr_name,
            "table_prefix": "wp_",
            "wp_cli": "/usr/local/bin/wp",
            "admin_password": "canary",
            "admin_secret_arn": None,
        },
        run_command=run_command,
        fail_json=fail_json,
    )
    made = subject.Site(module, CONTRACT, Options())
    made.calls = calls
    return made


def apply(site: Any) -> list[str]:
    current, changes = site.plan()
    site.apply(current, changes)
    if any(change.kind == "install" for change in changes):
        site.cursor = Options(siteurl="https://example.com")
    return [f"{change.action} {change.key}" for change in changes]


def test_an_empty_place_gets_everything_in_order(site):
    assert apply(site) == [
        "create state/shared",
        "create tree/site",
        f"create {subject.CONFIG}",
        f"create {subject.DROP_IN}",
        "create install/site",
    ]
    assert (site.site / "wp-includes/version.php").read_text() == "<?php // version"
    assert (site.site / "wp-config.php").read_text() == "<?php // stub"
    assert oct((site.site / "wp-config.php").stat().st_mode & 0o777) == "0o644"


def test_the_second_run_changes_nothing(site):
    apply(site)
    assert apply(site) == []


def test_an_interrupted_seed_is_resumed_and_shown_to_nobody(site):
    """What was copied is kept, what was half copied is not taken for whole."""
    seed = Path(site.params["site"]).with_name(".site.seed")
    (seed / "wp-includes").mkdir(parents=True)
    (seed / "wp-includes/.version.php.partial").write_text("<?p")
    (seed / "index.php").write_text("<?php // kept!"[: len("<?php // index")])
    times = (Path(site.params["release"]) / "index.php").stat()
    os.utime(seed / "index.php", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not site.site.exists()
    assert apply(site)[1] == "create tree/site"
    assert (site.site / "wp-includes/version.php").read_text() == "<?php // version"
    assert not list(site.site.rglob("*.partial"))
    assert (site.site / "index.php").read_text() == "<?php // kept!"
    assert not seed.exists()


def test_an_empty_folder_is_taken_a_filled_one_is_not(site):
    site.site.mkdir()
    (site.site / "somebody's.txt").touch()
    with pytest.raises(Failed, match="holds files but no WordPress"):
        apply(site)
    (site.site / "somebody's.txt").unlink()
    assert "create tree/site" in apply(site)


def test_an_existing_site_keeps_its_code(site):
    apply(site)
    (site.site / "wp-includes/version.php").write_text("<?php // updated in the dashboard")
    assert apply(site) == []


def test_drop_in_and_config_are_kept_equal(site):
    apply(site)
    (site.site / "wp-content/object-cache.php").write_text("<?php // edited")
    assert apply(site) == [f"update {subject.DROP_IN}"]


def test_only_our_own_drop_in_is_removed(site):
    apply(site)
    site.sources.pop(subject.DROP_IN)
    drop_in = site.site / "wp-content/object-cache.php"
    assert apply(site) == [f"delete {subject.DROP_IN}"]
    assert not drop_in.exists()
    drop_in.write_text("<?php // somebody else's")
    assert apply(site) == []
    assert drop_in.exists()


@pytest.fixture
def database_site(site, tmp_path):
    """The same, with the database's drop-in; made anew at each call, as each run of the module does."""
    (tmp_path / "db.php").write_text("<?php // Plugin Name: WordPress HA database")

    def make(*, wanted: bool = True) -> Any:
        site.params["database"] = str(tmp_path / "db.php") if wanted else ""
        made = subject.Site(site.module, CONTRACT, site.cursor)
        made.calls = site.calls
        return made

    first = make()
    apply(first)
    site.cursor = first.cursor
    return make


def test_the_database_drop_in_is_installed_kept_equal_and_removed(database_site):
    drop_in = database_site().path_of(subject.DATABASE)
    assert drop_in.read_text() == "<?php // Plugin Name: WordPress HA database"
    assert apply(database_site()) == []
    drop_in.write_text("<?php // WordPress HA database, edited")
    assert apply(database_site()) == [f"update {subject.DATABASE}"]
    assert apply(database_site(wanted=False)) == [f"delete {subject.DATABASE}"]
    assert not drop_in.exists()


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("kind", ["file", "link", "broken link"])
def test_a_database_drop_in_of_somebody_else_is_left_alone(database_site, tmp_path, kind, wanted):
    """HyperDB is a file, Query Monitor's is a link into its plugin; neither is overwritten, nor removed."""
    drop_in = database_site().path_of(subject.DATABASE)
    drop_in.unlink()
    theirs = tmp_path / "theirs.php"
    if kind != "broken link":
        theirs.write_text("<?php // theirs")
    if kind == "file":
        shutil.copyfile(theirs, drop_in)
    else:
        drop_in.symlink_to(theirs)
    assert apply(database_site(wanted=wanted)) == []
    assert drop_in.is_symlink() == (kind != "file")
    assert kind == "broken link" or drop_in.read_text() == "<?php // theirs"


def test_must_use_plugins_are_kept_equal_and_only_ours_are_removed(site, tmp_path):
    (tmp_path / "wordpress-ha-purge.php").write_text("<?php // purge")
    site.params["must_use_plugins"] = [str(tmp_path / "wordpress-ha-purge.php")]
    made = subject.Site(site.module, CONTRACT, site.cursor)
    made.calls = site.calls
    assert "create file/wp-content/mu-plugins/wordpress-ha-purge.php" in apply(made)
    folder = made.site / "wp-content/mu-plugins"
    (folder / "somebody's.php").touch()
    (folder / "wordpress-ha-purge.php").write_text("<?php // edited")
    assert apply(made) == ["update file/wp-content/mu-plugins/wordpress-ha-purge.php"]
    assert apply(made) == []
    site.cursor = made.cursor
    assert apply(site) == ["delete file/wp-content/mu-plugins/wordpress-ha-purge.php"]
    assert [path.name for path in folder.iterdir()] == ["somebody's.php"]


def test_a_plugin_is_exchanged_whole(site, tmp_path):
    (tmp_path / "plugin/includes").mkdir(parents=True)
    (tmp_path / "plugin/includes/a.php").write_text("1")
    site.params["plugins"] = {"redis-cache": str(tmp_path / "plugin")}
    assert "create plugin/redis-cache" in apply(site)
    assert apply(site) == []
    (tmp_path / "plugin/includes/b.php").write_text("2")
    (tmp_path / "plugin/includes/a.php").unlink()
    assert apply(site) == ["update plugin/redis-cache"]
    assert [path.name for path in (site.site / "wp-content/plugins/redis-cache").rglob("*.php")] == ["b.php"]


def test_the_password_goes_through_a_pipe(site):
    """P45: a command line is readable by every process."""
    apply(site)
    for command, _data in site.calls:
        assert "canary" not in " ".join(command)
    install = next(data for command, data in site.calls if "install" in command)
    assert install == "canary\n"


def test_a_failing_install_does_not_repeat_the_password(site):
    site.module.run_command = lambda *_arguments, **_options: (1, "wp core install --admin_password='canary'", "")
    with pytest.raises(Failed) as failure:
        apply(site)
    assert "wp core install failed" in str(failure.value)
    assert "canary" not in str(failure.value)


def test_without_any_password_the_cure_is_named(site):
    site.params["admin_password"] = None
    with pytest.raises(Failed, match="site/admin_secret_arn"):
        apply(site)


@pytest.mark.parametrize(
    ("wanted", "has", "planned"),
    [("", "", False), ("en_US", "de_DE", False), ("de_DE", "", True), ("de_DE", "de_DE", False)],
)
def test_the_language_is_set_only_if_another_one_is_named(site, wanted, has, planned):
    apply(site)
    site.contract = {**CONTRACT, "site": {**CONTRACT["site"], "locale": wanted}}
    site.cursor = Options(siteurl="https://example.com", **({"WPLANG": has} if has else {}))
    assert [f"{change.action} {change.key}" for change in site.plan()[1]] == (["update locale/site"] if planned else [])


def test_a_dry_run_on_a_fresh_machine_predicts_everything_and_touches_nothing(site):
    fresh = subject.Site(site.module, {})
    assert [change.action for change in fresh.plan()[1]] == ["create"] * 5
    assert not site.site.exists()
    assert site.calls == []


def marker(site: Any) -> dict[str, Any]:
    return json.loads((Path(site.params["state_dir"]) / "generation").read_text())


def test_nodes_are_told_what_changed_when_it_is_over(site, monkeypatch):
    """A node that looks in between finds a change under way, and takes nothing over."""
    apply(site)
    first = marker(site)
    assert first["paths"] == []  # everything is new
    (site.site / "wp-content/object-cache.php").write_text("<?php // edited")
    under_way = []
    real = site.write_file

    def write(change: Any, tree: Any) -> Any:
        under_way.append(len(list((Path(site.params["state_dir"]) / "changing").iterdir())))
        assert marker(site) == first
        return real(change, tree)

    monkeypatch.setattr(site, "write_file", write)
    apply(site)
    second = marker(site)
    assert under_way == [1]
    assert list((Path(site.params["state_dir"]) / "changing").iterdir()) == []
    assert second["paths"] == ["wp-content/object-cache.php"]
    assert second["previous"] == first["generation"] != second["generation"]


def test_nodes_are_told_nothing_when_nothing_changed(site):
    apply(site)
    before = marker(site)
    apply(site)
    assert marker(site) == before


def test_a_change_that_fails_is_announced_to_nobody(site, monkeypatch):
    apply(site)
    before = marker(site)
    (site.site / "wp-content/object-cache.php").write_text("<?php // edited")

    def fail(*_arguments: Any) -> None:
        raise OSError("full")

    monkeypatch.setattr(site, "write_file", fail)
    with pytest.raises(OSError, match="full"):
        apply(site)
    assert marker(site) == before


def test_the_state_folder_is_given_to_another_owner_of_php(site, monkeypatch):
    """A folder that PHP cannot write to would leave nodes without word of what the dashboard changes."""
    apply(site)
    shutil.rmtree(Path(site.params["state_dir"]) / "releases")
    assert apply(site) == ["create state/shared"]


def test_wp_cli_works_on_the_truth(site):
    """A node's own copy may not be changed."""
    apply(site)
    assert all(f"--path={site.site}" in command for command, _data in site.calls)
