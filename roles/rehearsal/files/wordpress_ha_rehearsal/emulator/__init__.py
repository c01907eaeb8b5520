# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control plane of the rehearsal: moto's server, what it lacks for us, and the state machines behind it.

Nothing here touches containers: the reconciler reads what should exist (``/_data_plane/desired``) and reports what does
(``/_data_plane/observed``). This package runs outside Ansible and needs moto, werkzeug and botocore only.
"""
