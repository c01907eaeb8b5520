#!/bin/sh
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs WP-CLI for longer than a request may take: all of it in one tree of the code, which the code agent leaves alone until it ends.
#   in_tree DOCUMENT_ROOT WP-CLI ARGUMENT...
set -eu
tree=$(readlink -f "$1")
shift
case $tree in
*/trees/*) exec flock --shared "$tree" "$@" "--path=$tree" ;;
# The shared files themselves: nothing replaces them, and NFS locks no folders.
*) exec "$@" "--path=$tree" ;;
esac
