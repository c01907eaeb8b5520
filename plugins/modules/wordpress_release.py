#!/usr/bin/python
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wordpress_release
version_added: 0.1.0
short_description: Deploy a release of a WordPress site's code to the fleet, or go back to an earlier one
description:
  - For nodes that run releases (C(storage/mode) V(release) of their contract). Run it on one node. It puts the release together once,
    on the shared files, and every node unpacks it to its own disk and switches to it at once.
  - A release is known by its content, so deploying the same archive again changes nothing.
author:
  - The wordpress_ha.aws project (@wordpress-ha)
requirements:
  - Python 3.11
attributes:
  check_mode:
    support: full
    description: Predicts which release would be run.
  diff_mode:
    support: full
    description: Shows the release before and after.
options:
  state:
    description:
      - V(deployed) makes O(archive) the release that nodes run.
      - V(rolled_back) makes O(release) or, without it, the release before the one that runs, the one to run.
      - V(made) makes a release of the shared site's code if there is none yet, as is needed before nodes are switched to releases.
      - V(restored) gives the shared site the code of the release that runs, as is needed before nodes are switched to another mode, and
        ends the run of releases. Nodes go on with the one they have. Without any release there is nothing to do.
    type: str
    choices: [deployed, rolled_back, made, restored]
    default: deployed
  archive:
    description:
      - A tar or zip archive on the node, of files and folders alone. Its root, or its only folder, holds a complete WordPress, or
        C(wp-content) alone, which is then laid over O(core).
      - Uploads and other folders of C(wp-content) that hold no code are left out, they stay on the shared files. C(wp-config.php), the
        object cache and this collection's must-use plugins are those of the shared site, which the machines bring.
    type: path
  release:
    description: Which release to go back to, by its id.
    type: str
    default: ""
  core:
    description: Folder of the WordPress release of this machine.
    type: path
    default: /opt/wordpress_ha/wordpress
  site:
    description: Folder of the site on the shared files.
    type: path
    default: /srv/wordpress/shared/site
  state_dir:
    description: Folder on the shared files by which nodes learn of changed code. See M(wordpress_ha.aws.wordpress_site).
    type: path
    default: /srv/wordpress/shared/state
  keep:
    description: How many releases to keep, to be able to go back.
    type: int
    default: 5
  owner:
    description: User that owns the site's files, the one PHP runs as.
    type: str
    default: www-data
  group:
    description: Group of the site's files.
    type: str
    default: www-data
"""

EXAMPLES = r"""
- name: Deploy a release
  wordpress_ha.aws.wordpress_release:
    archive: /var/cache/wordpress_ha/release.archive
  run_once: true

- name: Go back to the release before it
  wordpress_ha.aws.wordpress_release:
    state: rolled_back
  run_once: true
"""

RETURN = r"""
release:
  description: Id of the release that nodes run, or in check mode would run; empty without any.
  returned: success
  type: str
  sample: 4f1a6c0d9e2b91c5
former:
  description: Id of the release that they ran before.
  returned: success
  type: str
  sample: 0b7e5d3c1a9f44d2
"""

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wordpress_ha.aws.plugins.module_utils import _release, _site_code


def owner_of(module: AnsibleModule) -> Callable[[Path], None]:
    """Return what gives a file to PHP's user."""
    try:
        uid, gid = pwd.getpwnam(module.params["owner"]).pw_uid, grp.getgrnam(module.params["group"]).gr_gid
    except KeyError as error:
        module.fail_json(msg=f"owner and group are {module.params['owner']}:{module.params['group']}: {error}")
    return lambda path: os.chown(path, uid, gid)


def decide(module: AnsibleModule, releases: _release.Releases) -> tuple[str, Callable[[], None] | None]:
    """Return the release that is to run and what has to be done for that; None if nothing. Raises NoRelease."""
    running = releases.state.release()
    if module.params["state"] == "rolled_back":
        wanted = releases.target_of_roll_back(module.params["release"])
        return wanted, None if wanted == running else lambda: releases.state.switch(wanted, releases.keep)
    if module.params["state"] == "made":
        return running or "(known after apply)", None if running else releases.make
    if module.params["state"] == "restored":
        return "", releases.restore if running else None
    archive = Path(module.params["archive"])
    if not archive.is_file():
        raise _site_code.NoRelease(f"archive is {archive}: there is no such file on this machine.")
    wanted = _site_code.digest(archive)
    return wanted, None if wanted == running else lambda: releases.deploy(archive, Path(module.params["core"]), wanted)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"choices": ["deployed", "rolled_back", "made", "restored"], "default": "deployed"},
            "archive": {"type": "path"},
            "release": {"type": "str", "default": ""},
            "core": {"type": "path", "default": "/opt/wordpress_ha/wordpress"},
            "site": {"type": "path", "default": "/srv/wordpress/shared/site"},
            "state_dir": {"type": "path", "default": "/srv/wordpress/shared/state"},
            "keep": {"type": "int", "default": 5},
            "owner": {"type": "str", "default": "www-data"},
            "group": {"type": "str", "default": "www-data"},
        },
        required_if=[("state", "deployed", ("archive",))],
        supports_check_mode=True,
    )
    if module.params["keep"] < 2:
        module.fail_json(
            msg=f"keep is {module.params['keep']}: keep 2 releases at least, or there is nothing to go back to."
        )
    own = owner_of(module)
    state = _site_code.State(Path(module.params["state_dir"]), own)
    if not state.folder.is_dir():
        module.fail_json(
            msg=f"state_dir is {state.folder}, which does not exist: are the shared files mounted, and is the site installed?"
        )
    releases = _release.Releases(state, Path(module.params["site"]), own, module.params["keep"])
    former = state.release()
    wanted = former
    try:
        wanted, act = decide(module, releases)
        if act and not module.check_mode:
            act()
            wanted = state.release()
    except _site_code.NoRelease as reason:
        module.fail_json(msg=str(reason))
    except OSError as error:
        module.fail_json(msg=f"The release could not be made, nodes run what they ran before: {error}")
    module.exit_json(
        changed=act is not None,
        release=wanted,
        former=former,
        diff={"before": {"release": former}, "after": {"release": wanted}},
    )


if __name__ == "__main__":
    main()
