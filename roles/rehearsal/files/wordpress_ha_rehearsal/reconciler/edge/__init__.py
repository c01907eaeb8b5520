# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudFront's part, as nginx and Varnish play it. Pure: AWS's wire configurations in, configuration files out.

A request passes nginx (TLS, behaviors, functions, what is forwarded), Varnish (the cache), and nginx again (the origins).
"""
