# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudFront as we use it: moto keeps a part of a distribution, knows no policies and ignores If-Match.

Every resource is a ``Record`` in a table of the backend (``store``); what was sent is what is read back.
"""

# The modules register themselves; their order is the order of application.
from . import policies, access_control, functions, vpc_origins, distributions, invalidations, lookups, tags  # noqa: F401,I001
