// Copyright: Contributors to the wordpress_ha.aws project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Response headers policies, on the fields of AWS's own ResponseHeadersPolicyConfig.

function listed(shape) {
    return (shape && shape.Items) || [];
}

function put(r, name, value, override) {
    if (override || r.headersOut[name] === undefined) {
        r.headersOut[name] = value;
    }
}

function permits(allowed, origin) {
    return allowed.some((one) => {
        const text = one.replace(/[.+^${}()|[\]\\?]/g, '\\$&').replace(/\*/g, '.*');
        return new RegExp('^' + (one.indexOf('://') < 0 && one !== '*' ? '(https?://)?' : '') + text + '$').test(origin);
    });
}

function cors(r, config) {
    const origin = r.headersIn['Origin'];
    const origins = listed(config.AccessControlAllowOrigins);
    if (!origin || !permits(origins, origin)) {
        return;
    }
    const override = config.OriginOverride;
    const anyone = origins.indexOf('*') >= 0 && !config.AccessControlAllowCredentials;
    put(r, 'Access-Control-Allow-Origin', anyone ? '*' : origin, override);
    if (!anyone) {
        put(r, 'Vary', 'Origin', false);
    }
    if (config.AccessControlAllowCredentials) {
        put(r, 'Access-Control-Allow-Credentials', 'true', override);
    }
    const exposed = listed(config.AccessControlExposeHeaders);
    if (exposed.length) {
        put(r, 'Access-Control-Expose-Headers', exposed.join(','), override);
    }
    if (r.method === 'OPTIONS' && r.headersIn['Access-Control-Request-Method']) {
        const methods = listed(config.AccessControlAllowMethods);
        const all = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'];
        put(r, 'Access-Control-Allow-Methods', (methods.indexOf('ALL') >= 0 ? all : methods).join(', '), override);
        const headers = listed(config.AccessControlAllowHeaders);
        if (headers.length) {
            put(r, 'Access-Control-Allow-Headers', headers.join(', '), override);
        }
        if (config.AccessControlMaxAgeSec !== undefined) {
            put(r, 'Access-Control-Max-Age', String(config.AccessControlMaxAgeSec), override);
        }
    }
}

function security(r, config) {
    const transport = config.StrictTransportSecurity;
    if (transport && r.variables.scheme === 'https') {
        const value = `max-age=${transport.AccessControlMaxAgeSec}` + (transport.IncludeSubdomains ? '; includeSubDomains' : '') +
            (transport.Preload ? '; preload' : '');
        put(r, 'Strict-Transport-Security', value, transport.Override);
    }
    if (config.ContentTypeOptions) {
        put(r, 'X-Content-Type-Options', 'nosniff', config.ContentTypeOptions.Override);
    }
    if (config.FrameOptions) {
        put(r, 'X-Frame-Options', config.FrameOptions.FrameOption, config.FrameOptions.Override);
    }
    if (config.ReferrerPolicy) {
        put(r, 'Referrer-Policy', config.ReferrerPolicy.ReferrerPolicy, config.ReferrerPolicy.Override);
    }
    const xss = config.XSSProtection;
    if (xss) {
        const value = xss.Protection ? '1' + (xss.ModeBlock ? '; mode=block' : '') + (xss.ReportUri ? '; report=' + xss.ReportUri : '') : '0';
        put(r, 'X-XSS-Protection', value, xss.Override);
    }
    if (config.ContentSecurityPolicy) {
        put(r, 'Content-Security-Policy', config.ContentSecurityPolicy.ContentSecurityPolicy, config.ContentSecurityPolicy.Override);
    }
}

function apply(r, config, cache, pop) {
    listed(config.RemoveHeadersConfig).forEach((one) => { delete r.headersOut[one.Header]; });
    if (config.CorsConfig) {
        cors(r, config.CorsConfig);
    }
    if (config.SecurityHeadersConfig) {
        security(r, config.SecurityHeadersConfig);
    }
    listed(config.CustomHeadersConfig).forEach((one) => { put(r, one.Header, one.Value, one.Override); });
    const timing = config.ServerTimingHeadersConfig;
    if (timing && timing.Enabled && Math.random() * 100 < timing.SamplingRate) {
        const hit = cache === 'Miss' ? 'cdn-cache-miss' : cache === 'RefreshHit' ? 'cdn-cache-refresh' : 'cdn-cache-hit';
        const mine = `${hit},cdn-pop;desc="${pop}",cdn-rid;desc="${r.variables.edge_id}"`;
        r.headersOut['Server-Timing'] = r.headersOut['Server-Timing'] ? `${r.headersOut['Server-Timing']},${mine}` : mine;
    }
}

export default {apply};
