// Copyright: Contributors to the wordpress_ha.aws project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Viewer request: drops marketing parameters and sorts the others, so that links from a campaign share one cached page (P37).
// WordPress itself uses none of these names.

var PREFIXES = ['utm_', 'mtm_', 'pk_', 'piwik_', 'hsa_', '_hs', 'mc_', 'ml_', 'vero_', 'oly_', 'trk_', 'gad_', 'matomo_'];
var NAMES = ['gclid', 'gclsrc', 'gbraid', 'wbraid', 'dclid', 'fbclid', 'msclkid', 'yclid', 'twclid', 'ttclid', 'li_fat_id', 'igshid',
    'epik', 'srsltid', '_ga', '_gl', '_ke', '_bta_tid', '_bta_c', 'mkt_tok', 'ef_id', 's_kwcid', 'wickedid'];

function isMarketing(name) {
    var lower = name.toLowerCase();
    return NAMES.indexOf(lower) >= 0 || PREFIXES.some(function (prefix) {
        return lower.indexOf(prefix) === 0;
    });
}

function handler(event) {
    var request = event.request;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
        return request;
    }
    var kept = {};
    Object.keys(request.querystring).filter(function (name) {
        return !isMarketing(name);
    }).sort().forEach(function (name) {
        kept[name] = request.querystring[name];
    });
    request.querystring = kept;
    return request;
}
