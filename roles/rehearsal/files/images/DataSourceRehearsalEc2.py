# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cloud-init's own Ec2 datasource, told that it runs on EC2.

cloud-init recognises EC2 by the machine's DMI strings, which a container does not have; without them it never asks for an
IMDSv2 token. Everything else (crawling, users, keys, user data, per-instance semantics) is the genuine code.
"""

from cloudinit import sources
from cloudinit.sources import DataSourceEc2 as ec2


class DataSourceRehearsalEc2(ec2.DataSourceEc2):
    """The container engine has set up the network before the first process, so the local stage may already ask."""

    def _get_cloud_name(self):
        return ec2.CloudNames.AWS


def get_datasource_list(depends):
    """Return the datasource for the local stage."""
    return sources.list_from_depends(depends, [(DataSourceRehearsalEc2, (sources.DEP_FILESYSTEM,))])
