#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wordpress_site
version_added: 0.1.0
short_description: Seed the shared files and install a WordPress site, exactly once
description:
  - Copies the WordPress release of this machine to the shared files if there is no site yet, keeps the C(wp-config.php) stub, the
    object cache drop-in and must-use plugins equal to what the machine brings, and installs the site into an empty database.
  - Keeps the folder by which nodes learn of changed code, and tells them of what it changes itself.
  - Any number of machines may run it at once. A database lock lets one act, and the others find the work done. A run that was
    killed is resumed by the next one.
  - An existing site keeps its code. Updating WordPress is another task.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
requirements:
  - PyMySQL
  - botocore, if the administrator's password is in Secrets Manager
  - WP-CLI
attributes:
  check_mode:
    support: full
    description: Without the contract file, as on a machine that was not configured yet, everything is predicted to be created.
  diff_mode:
    support: full
    description: Shows which parts of the site differ.
options:
  contract:
    description: File on the node with the resolved contract that the boot agent writes.
    type: path
    default: /run/wordpress_ha/contract.json
  release:
    description: Folder of the WordPress release to seed from.
    type: path
    default: /opt/wordpress_ha/wordpress
  site:
    description: Folder of the site on the shared files.
    type: path
    default: /srv/wordpress/shared/site
  state_dir:
    description: Folder on the shared files by which nodes learn of changed code. PHP's user owns it.
    type: path
    default: /srv/wordpress/shared/state
  config:
    description: The C(wp-config.php) that the site must have. It must hold no secret.
    type: path
    default: /opt/wordpress_ha/wp-config.php
  object_cache:
    description: The object cache drop-in that the site must have. Empty removes one that this module installed.
    type: str
    default: ""
  database:
    description:
      - The database drop-in (C(db.php)) that the site must have. Empty removes one that this module installed.
      - One of somebody else's, such as a plugin's link, is left alone, with a warning.
    type: str
    default: ""
  must_use_plugins:
    description:
      - Files of must-use plugins that the site must have. Those of this collection, C(wordpress-ha-*.php), that are not listed
        are removed; others are left alone.
    type: list
    elements: path
    default: []
  plugins:
    description: Folders of plugins that the site must have, by the name of the plugin.
    type: dict
    default: {}
  owner:
    description: User that owns the site's files, the one PHP runs as.
    type: str
    default: www-data
  group:
    description: Group of the site's files.
    type: str
    default: www-data
  table_prefix:
    description: Prefix of the site's tables.
    type: str
    default: wp_
  wp_cli:
    description: Path of WP-CLI.
    type: path
    default: /usr/local/bin/wp
  ca_file:
    description: Certificate authorities that the database's certificate must chain to.
    type: path
    default: /etc/ssl/certs/ca-certificates.crt
  admin_secret_arn:
    description: Secret with the first administrator's C(password). Default is what the contract's C(site/admin_secret_arn) names.
    type: str
  admin_password:
    description: First administrator's password, where there is no Secrets Manager. Never put on a command line.
    type: str
"""

EXAMPLES = r"""
- name: Install the site that this machine's contract describes
  wordpress_ha.aws.wordpress_site:
    object_cache: /opt/wordpress_ha/object-cache.php
    database: /opt/wordpress_ha/db.php
    must_use_plugins:
      - /opt/wordpress_ha/mu-plugins/wordpress-ha-purge.php
"""

RETURN = r"""
actions:
  description: What was, or in check mode would be, created, updated or deleted, in order.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "create", "resource": "tree/site", "before": {}, "after": {"complete": true}}]
url:
  description: Address of the site.
  returned: success
  type: str
  sample: https://www.example.com
"""

import errno
import grp
import hashlib
import os
import pwd
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _node, _plan, _site_code

ORDER = ("state", "tree", "file", "plugin", "install", "locale")
CONFIG = "file/wp-config.php"
DROP_IN = "file/wp-content/object-cache.php"
DATABASE = f"file/{_site_code.DATABASE}"
#: By these a drop-in is known as one that this collection may replace or remove.
OWN_DROP_INS = {
    DROP_IN: (b"WordPress HA object cache", b"Redis Object Cache Drop-In"),
    DATABASE: (_site_code.DATABASE_MARK,),
}
MUST_USE = "wp-content/mu-plugins"
#: Names of must-use plugins that are this collection's.
OWN_MUST_USE = "wordpress-ha-*.php"
NO_SUCH_TABLE = 1146
#: WordPress's own choice for a new site.
PERMALINKS = "/%year%/%monthnum%/%day%/%postname%/"


def digest(path: Path) -> str:
    """Return a short digest of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def tree_digest(folder: Path) -> str:
    """Return a short digest of all names and contents below a folder."""
    total = hashlib.sha256()
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        total.update(f"{path.relative_to(folder)}\0{digest(path)}\n".encode())
    return total.hexdigest()[:16]


class Site:
    """The site as a tree: its files on the shared storage, its installation in the database."""

    order = ORDER

    def __init__(self, module: AnsibleModule, contract: Mapping[str, Any], cursor: Any = None) -> None:
        self.module = module
        self.params: dict[str, Any] = module.params
        self.contract = contract
        self.cursor = cursor
        self.site = Path(self.params["site"])
        self.state = _site_code.State(Path(self.params["state_dir"]), self.own)
        self.sources = {CONFIG: self.params["config"]}
        if self.params["object_cache"]:
            self.sources[DROP_IN] = self.params["object_cache"]
        if self.params["database"] and not self.has_foreign_database():
            self.sources[DATABASE] = self.params["database"]
        for source in self.params["must_use_plugins"]:
            self.sources[f"file/{MUST_USE}/{Path(source).name}"] = source

    # --- reading

    def read(self) -> _plan.Tree:
        tree: _plan.Tree = {}
        if self.state.is_complete(pwd.getpwnam(self.params["owner"]).pw_uid):
            tree["state/shared"] = {"owner": self.params["owner"]}
        if (self.site / _site_code.VERSION).is_file():
            tree["tree/site"] = {"complete": True}
        own = {f"file/{MUST_USE}/{path.name}" for path in (self.site / MUST_USE).glob(OWN_MUST_USE)}
        for key in sorted({CONFIG, *OWN_DROP_INS, *self.sources} | own):
            path = self.path_of(key)
            if path.is_file() and (key in self.sources or key in own or self.is_own_drop_in(key)):
                tree[key] = {"digest": digest(path)}
        for name in self.params["plugins"]:
            if (self.plugin_path(name)).is_dir():
                tree[f"plugin/{name}"] = {"digest": tree_digest(self.plugin_path(name))}
        if self.option("siteurl"):
            tree["install/site"] = {"installed": True}
            tree["locale/site"] = {"locale": self.option("WPLANG") or "en_US"}
        return tree

    def desired(self) -> _plan.Tree:
        tree: _plan.Tree = {"state/shared": {"owner": self.params["owner"]}, "tree/site": {"complete": True}}
        for key, source in self.sources.items():
            tree[key] = {"digest": digest(Path(source)) if Path(source).is_file() else _plan.UNKNOWN}
        for name, source in self.params["plugins"].items():
            tree[f"plugin/{name}"] = {"digest": tree_digest(Path(source)) if Path(source).is_dir() else _plan.UNKNOWN}
        tree["install/site"] = {"installed": True}
        locale = _node.leaf(self.contract, "site/locale")
        if locale not in ("", "en_US"):
            tree["locale/site"] = {"locale": locale}
        return tree

    def plan(self) -> tuple[_plan.Tree, list[_plan.Change]]:
        current = self.read() if self.contract else {}
        return current, _plan.plan(current, self.desired(), ORDER, purge=("file",))

    def path_of(self, key: str) -> Path:
        return self.site / _plan.name_of(key)

    def plugin_path(self, name: str) -> Path:
        return self.site / "wp-content/plugins" / name

    def is_own_drop_in(self, key: str) -> bool:
        head = self.path_of(key).read_bytes()[:2048]
        return any(mark in head for mark in OWN_DROP_INS.get(key, ()))

    def has_foreign_database(self) -> bool:
        """Tell whether a plugin (Query Monitor, HyperDB) or the operator has put a db.php there, perhaps as a link."""
        path = self.path_of(DATABASE)
        return path.is_symlink() or (path.is_file() and not self.is_own_drop_in(DATABASE))

    def option(self, name: str) -> str:
        """Return one of WordPress's options; empty if it or the table is not there."""
        try:
            table = f"{self.params['table_prefix']}options"
            self.cursor.execute(f"SELECT option_value FROM `{table}` WHERE option_name = %s", (name,))
        except _node.pymysql.ProgrammingError as error:
            if error.args[0] == NO_SUCH_TABLE:
                return ""
            raise
        row = self.cursor.fetchone()
        return str(row[0]) if row else ""

    # --- writing

    def own(self, path: Path) -> None:
        os.chown(path, pwd.getpwnam(self.params["owner"]).pw_uid, grp.getgrnam(self.params["group"]).gr_gid)

    def create_state(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.state.create()
        return {}

    def copy_folder(self, source: Path, target: Path) -> None:
        """Copy a folder for PHP's user; what an interrupted run has copied already is kept."""
        for folder, _unused, _files in os.walk(source):  # empty ones too
            here = target / Path(folder).relative_to(source)
            here.mkdir(mode=0o755, exist_ok=True)
            self.own(here)
        _site_code.copy_files(source, target, _site_code.files_of(source), self.own)

    def create_tree(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        """Seed the site beside its place, then move it there at once: no node ever sees half of it."""
        seed = self.site.with_name(f".{self.site.name}.seed")
        self.copy_folder(Path(self.params["release"]).resolve(), seed)
        try:
            seed.rename(self.site)  # onto an empty folder this works, onto a filled one it fails
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            self.module.fail_json(
                msg=f"site is {self.site}, which holds files but no WordPress. Move them away, or name another folder."
            )
        return {}

    def write_file(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        """Replace a file at once. It belongs to root: PHP reads it, but cannot change it."""
        path = self.path_of(change.key)
        if not path.parent.is_dir():  # WordPress brings no folder for must-use plugins
            path.parent.mkdir(mode=0o755)
            self.own(path.parent)
        new = path.with_name(f".{path.name}.new")
        shutil.copyfile(self.sources[change.key], new)
        new.chmod(0o644)
        new.replace(path)
        return {}

    def delete_file(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.path_of(change.key).unlink(missing_ok=True)
        return {}

    def write_plugin(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        """Copy a plugin beside its place and exchange the two."""
        target = self.plugin_path(change.name)
        seed, old = target.with_name(f".{change.name}.seed"), target.with_name(f".{change.name}.old")
        for leftover in (seed, old):
            shutil.rmtree(leftover, ignore_errors=True)
        self.copy_folder(Path(self.params["plugins"][change.name]), seed)
        if target.exists():
            target.rename(old)
        seed.rename(target)
        shutil.rmtree(old, ignore_errors=True)
        return {}

    def install(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        """Run WordPress's installation. The password goes through a pipe: a command line is readable by everybody."""
        arguments = [
            f"--{name}={_node.leaf(self.contract, path)}"
            for name, path in (
                ("url", "site/url"),
                ("title", "site/title"),
                ("admin_user", "site/admin_user"),
                ("admin_email", "site/admin_email"),
            )
        ]
        password = self.admin_password()
        self.wp("core", "install", "--skip-email", *arguments, "--prompt=admin_password", stdin=password + "\n")
        # WordPress chooses readable addresses only if it can ask itself over HTTP, which it cannot yet.
        self.wp("option", "update", "permalink_structure", PERMALINKS)
        return {}

    def set_locale(self, change: _plan.Change, tree: _plan.Tree) -> _plan.Fields:
        self.wp("language", "core", "install", change.after["locale"], "--activate")
        return {}

    def admin_password(self) -> str:
        if self.params["admin_password"]:
            return str(self.params["admin_password"])
        arn = self.params["admin_secret_arn"] or _node.leaf(self.contract, "site/admin_secret_arn")
        if not arn:
            self.module.fail_json(
                msg="There is no password for the site's administrator: give admin_password or admin_secret_arn, "
                "or let the contract name one in site/admin_secret_arn."
            )
        return _node.read_secret(self.module, arn)["password"]

    def wp(self, *arguments: str, stdin: str | None = None) -> None:
        """Run WP-CLI as PHP's user and fail with what it says; its output may repeat the prompt's answer, so that is left out."""
        command = [
            "runuser",
            "-u",
            self.params["owner"],
            "--",
            self.params["wp_cli"],
            f"--path={self.site}",
        ]
        code, out, err = self.module.run_command(
            [*command, *arguments],
            data=stdin,
            cwd="/",  # the caller's own folder may be closed to PHP's user
            environ_update={"HOME": "/tmp", "WP_CLI_CACHE_DIR": "/dev/null", "WP_CLI_DISABLE_AUTO_CHECK_UPDATE": "1"},
        )
        if code:
            said = err.strip() or ("see the PHP log" if stdin else out.strip())
            self.module.fail_json(msg=f"wp {' '.join(arguments[:2])} failed: {said}")

    def apply(self, current: _plan.Tree, changes: list[_plan.Change]) -> None:
        """Execute a plan; nodes that run copies take its files over when all of them are written."""
        files = [change for change in changes if change.kind in ("tree", "file", "plugin")]
        others = [change for change in changes if change not in files and change.kind != "state"]
        _plan.execute(current, [change for change in changes if change.kind == "state"], self.handlers())
        if files:
            with self.state.change("wordpress_site", self.changed_paths(files)):
                _plan.execute(current, files, self.handlers())
        _plan.execute(current, others, self.handlers())

    def changed_paths(self, changes: list[_plan.Change]) -> list[str]:
        """Return what a plan changes, relative to the site; nothing for all of it."""
        if any(change.kind == "tree" for change in changes):
            return []
        return [f"wp-content/plugins/{item.name}" if item.kind == "plugin" else item.name for item in changes]

    def handlers(self) -> Mapping[str, _plan.Handler]:
        return {
            "create state": self.create_state,
            "create tree": self.create_tree,
            "create file": self.write_file,
            "update file": self.write_file,
            "delete file": self.delete_file,
            "create plugin": self.write_plugin,
            "update plugin": self.write_plugin,
            "create install": self.install,
            "create locale": self.set_locale,
            "update locale": self.set_locale,
        }


def run(module: AnsibleModule, contract: Mapping[str, Any]) -> list[_plan.Change]:
    """Look, and only if something is to be done, lock, look again and do it."""
    login = {
        "host": _node.leaf(contract, "database/host"),
        "port": int(_node.leaf(contract, "database/port") or 3306),
        "user": _node.leaf(contract, "secrets/database/username"),
        "password": _node.leaf(contract, "secrets/database/password"),
        "database": _node.leaf(contract, "database/name"),
    }
    module.no_log_values.add(login["password"])
    try:
        with _node.connect(login, module.params["ca_file"]) as connection, connection.cursor() as cursor:
            site = Site(module, contract, cursor)
            if module.params["database"] and site.has_foreign_database():
                module.warn(
                    f"{site.path_of(DATABASE)} is somebody else's and stays: pages that the object cache answers connect to the "
                    "database all the same. Remove it, or switch the drop-in off."
                )
            _unused, changes = site.plan()
            if changes and not module.check_mode:
                with _node.lock(cursor, f"wordpress_ha:install:{login['database']}"[:64]) as held:
                    if not held:
                        module.fail_json(
                            msg="Another machine has been installing the site for 10 minutes; look there first."
                        )
                    current, changes = site.plan()
                    site.apply(current, changes)
    except (_node.pymysql.MySQLError, OSError) as error:
        if (
            module.check_mode
            and isinstance(error, _node.pymysql.OperationalError)
            and not isinstance(error, TimeoutError)
        ):
            # The database or its user is created by the task before, which a dry run only predicts.
            module.warn(f"The database {login['host']} does not let the site's user in yet; this is a prediction.")
            return Site(module, {}).plan()[1]
        module.fail_json(msg=f"The database {login['host']} or the shared files refused or did not answer: {error}")
    return changes


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "contract": {"type": "path", "default": "/run/wordpress_ha/contract.json"},
            "release": {"type": "path", "default": "/opt/wordpress_ha/wordpress"},
            "site": {"type": "path", "default": "/srv/wordpress/shared/site"},
            "state_dir": {"type": "path", "default": "/srv/wordpress/shared/state"},
            "config": {"type": "path", "default": "/opt/wordpress_ha/wp-config.php"},
            "object_cache": {"type": "str", "default": ""},
            "database": {"type": "str", "default": ""},
            "must_use_plugins": {"type": "list", "elements": "path", "default": []},
            "plugins": {"type": "dict", "default": {}},
            "owner": {"type": "str", "default": "www-data"},
            "group": {"type": "str", "default": "www-data"},
            "table_prefix": {"type": "str", "default": "wp_"},
            "wp_cli": {"type": "path", "default": "/usr/local/bin/wp"},
            "ca_file": {"type": "path", "default": "/etc/ssl/certs/ca-certificates.crt"},
            "admin_secret_arn": {"type": "str", "no_log": False},
            "admin_password": {"type": "str", "no_log": True},
        },
        mutually_exclusive=[("admin_secret_arn", "admin_password")],
        supports_check_mode=True,
    )
    contract = _node.read_contract(module, module.params["contract"])
    if contract is None:
        changes = Site(module, {}).plan()[1]
    else:
        _node.require_libraries(module, secrets=False)
        changes = run(module, contract)
    _node.planned_exit(module, changes, url=_node.leaf(contract or {}, "site/url") or _plan.UNKNOWN)


if __name__ == "__main__":
    main()
