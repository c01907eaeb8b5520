# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No secret leaves its place: every secret value of the running site is searched for where it must not be (P45)."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest

from .site import CHECKOUT, OUTPUT, STATE, Site


@pytest.fixture(scope="module")
def secrets(site: Site) -> dict[str, str]:
    """Every secret value of the stack by a telling name: database, cache, salts, origin header and the RDS master password."""
    manager = site.aws("secretsmanager")
    values = {}
    for listed in manager.get_paginator("list_secrets").paginate().build_full_result()["SecretList"]:
        text = manager.get_secret_value(SecretId=listed["ARN"])["SecretString"]
        for key, value in json.loads(text).items():
            if key.lower() in ("password", "auth_token", "header_value") or key.endswith(("_KEY", "_SALT")):
                values[f"{listed['Name']}:{key}"] = value
    assert len(values) >= 12 and all(len(value) >= 16 for value in values.values())
    return values


def found(text: str, secrets: dict[str, str]) -> list[str]:
    return [name for name, value in secrets.items() if value in text]


def test_no_secret_in_logs_and_fact_caches(site: Site, secrets: dict[str, str], prove) -> None:
    # The administrator's password is printed in the report on purpose: it is what the user asked for.
    hidden = {name: value for name, value in secrets.items() if "wordpress-admin" not in name}
    files = [
        path
        for folder in (STATE / "log", OUTPUT, CHECKOUT / ".ansible")
        for path in folder.rglob("*")
        if path.is_file()
    ]
    leaks = {str(path): found(path.read_text(encoding="utf-8", errors="replace"), hidden) for path in files}
    assert not {path: names for path, names in leaks.items() if names}
    for container in site.containers():
        for command in (("logs", container["Names"][0]), ("inspect", container["Names"][0])):
            output = site.engine(*command, check=False)
            assert not found(output.stdout + output.stderr, secrets), command
    for instance in site.instance_ids():
        assert not found(
            site.node(
                instance, "journalctl --no-pager -o cat; cat /var/log/*.log /var/log/*/*.log 2>/dev/null || true"
            ),
            secrets,
        )
    prove(
        f"{len(hidden)} secret values: in none of {len(files)} log and cache files, no container log or setting, no journal of a node"
    )


def test_no_secret_in_user_data_or_parameters(site: Site, secrets: dict[str, str], prove) -> None:
    ec2 = site.aws("ec2")
    checked = 0
    for template in ec2.describe_launch_templates()["LaunchTemplates"]:
        for version in ec2.describe_launch_template_versions(LaunchTemplateId=template["LaunchTemplateId"])[
            "LaunchTemplateVersions"
        ]:
            data = version["LaunchTemplateData"].get("UserData", "")
            assert not found(base64.b64decode(data).decode(errors="replace"), secrets)
            checked += 1
    parameters = site.aws("ssm").get_paginator("get_parameters_by_path").paginate(Path="/wordpress_ha/", Recursive=True)
    tree = [item for page in parameters for item in page["Parameters"]]
    assert tree and not found(json.dumps([item["Value"] for item in tree]), secrets)
    prove(
        f"{checked} launch template versions and {len(tree)} parameters hold none of the {len(secrets)} secret values"
    )


def test_no_secret_in_an_image(site: Site, secrets: dict[str, str], prove) -> None:
    patterns = OUTPUT / "patterns"
    patterns.touch(mode=0o600)
    patterns.write_text("\n".join(secrets.values()) + "\n", encoding="utf-8")
    images = json.loads(site.engine("images", "--format", "json").stdout)
    names = sorted(
        {name for image in images for name in image.get("Names") or [] if "wordpress-ha-rehearsal/ami" in name}
    )
    assert names
    try:
        for name in names:
            root = site.engine("image", "mount", name).stdout.strip()
            try:
                grep = subprocess.run(
                    ["grep", "-rlaF", "-f", str(patterns), "--devices=skip", root],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert grep.returncode == 1, (name, grep.stdout[:2000])
            finally:
                site.engine("image", "unmount", name)
    finally:
        patterns.unlink()
    prove(
        f"{len(names)} machine images searched file by file: none of {len(secrets)} secret values, no wp-config.php with credentials"
    )


def test_no_secret_is_readable_by_others(site: Site, secrets: dict[str, str], prove) -> None:
    patterns = "\n".join(secrets.values())
    checked = 0
    for instance in site.instance_ids():
        script = (
            "cat >/run/patterns; chmod 600 /run/patterns; "
            "find /etc /run /srv /opt /var /home /root /tmp -xdev -type f -perm /o+r -size -4M -print0 2>/dev/null "
            "| xargs -0 -r grep -laF -f /run/patterns -- 2>/dev/null; rm -f /run/patterns; stat -c '%a %U:%G' /run/wordpress_ha/wp-config.php"
        )
        name = next(container["Names"][0] for container in site.containers() if instance in container["Names"][0])
        seen = site.engine("exec", "-i", name, "sh", "-c", script, input=patterns).stdout.splitlines()
        assert seen == ["640 root:www-data"], seen
        checked += 1
    world_readable = [path for path in STATE.rglob("*") if path.is_file() and path.stat().st_mode & 0o004]
    leaks = [
        str(path)
        for path in world_readable
        if path.stat().st_size < 4 << 20 and found(path.read_bytes().decode(errors="replace"), secrets)
    ]
    assert not leaks, leaks
    prove(f"on {checked} nodes no world-readable file holds a secret; wp-config.php is 0640 root:www-data in tmpfs")
