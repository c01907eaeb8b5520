#!/bin/sh
# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Tests a drop-in before it becomes live, inside the smallest configuration that can carry it:
#   validate_config nginx FILE | validate_config php-fpm BINARY FILE
set -eu
frame=$(mktemp)
trap 'rm -f "$frame" "$frame.pid"' EXIT
case $1 in
nginx)
    printf 'include /etc/nginx/modules-enabled/*.conf;\ninclude /usr/share/nginx/modules/*.conf;\npid %s.pid;\nevents {}\nhttp {\ninclude /etc/nginx/mime.types;\ninclude %s;\n}\n' "$frame" "$2" >"$frame"
    nginx -t -q -c "$frame"
    ;;
php-fpm)
    printf '[global]\nerror_log = /proc/self/fd/2\ninclude = %s\n' "$3" >"$frame"
    "$2" -t -y "$frame"
    ;;
*)
    echo "usage: $0 nginx FILE | php-fpm BINARY FILE" >&2
    exit 2
    ;;
esac
