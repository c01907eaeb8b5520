// Copyright: Contributors to the wordpress_ha.aws project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The event objects of CloudFront Functions, from a request or response and back.

function cookiesOf(header) {
    return (header || '').split(';').map((one) => one.trim()).filter((one) => one).map((one) => {
        const at = one.indexOf('=');
        return {name: at < 0 ? one : one.slice(0, at), raw: one};
    });
}

function queryOf(text) {
    return (text || '').split('&').filter((one) => one).map((one) => ({name: one.split('=')[0], raw: one}));
}

// The request as the rest of this code handles it: headers by lower-case name, cookies and query strings in order.
function read(r, uri) {
    const headers = {};
    r.rawHeadersIn.forEach((pair) => {
        const name = pair[0].toLowerCase();
        headers[name] = name in headers ? headers[name] + (name === 'cookie' ? '; ' : ',') + pair[1] : pair[1];
    });
    const raw = r.variables.request_uri;
    const at = raw.indexOf('?');
    return {uri: uri, headers: headers, cookies: cookiesOf(headers['cookie']), query: queryOf(at < 0 ? '' : raw.slice(at + 1))};
}

// {name: {value, multiValue}} of name=value texts.
function table(pairs) {
    const found = {};
    pairs.forEach((one) => {
        const at = one.raw.indexOf('=');
        const value = at < 0 ? '' : one.raw.slice(at + 1);
        if (!(one.name in found)) {
            found[one.name] = {value: value};
        } else {
            found[one.name].multiValue = found[one.name].multiValue || [{value: found[one.name].value}];
            found[one.name].multiValue.push({value: value});
        }
    });
    return found;
}

function pairs(found) {
    const listed = [];
    Object.keys(found || {}).forEach((name) => {
        (found[name].multiValue || [found[name]]).forEach((one) => {
            listed.push({name: name, raw: one.value === '' || one.value === undefined ? name : `${name}=${one.value}`});
        });
    });
    return listed;
}

function viewerRequest(r, distribution, request) {
    const headers = {};
    Object.keys(request.headers).forEach((name) => {
        if (name !== 'cookie') {
            headers[name] = {value: request.headers[name]};
        }
    });
    return {
        version: '1.0',
        context: {distributionDomainName: distribution.domain, distributionId: distribution.id, eventType: 'viewer-request',
            requestId: r.variables.edge_id},
        viewer: {ip: r.remoteAddress},
        request: {method: r.method, uri: request.uri, querystring: table(request.query), headers: headers, cookies: table(request.cookies)},
    };
}

// The request that a function returned; what it left alone keeps its exact text.
function rebuilt(answer, before) {
    const headers = {};
    Object.keys(answer.headers || {}).forEach((name) => {
        const field = answer.headers[name];
        headers[name.toLowerCase()] = field.multiValue ? field.multiValue.map((one) => one.value).join(',') : String(field.value);
    });
    const same = (found, listed) => JSON.stringify(found) === JSON.stringify(table(listed));
    const uri = answer.uri.split('?')[0];
    return {
        uri: uri,
        headers: headers,
        cookies: same(answer.cookies, before.cookies) ? before.cookies : pairs(answer.cookies),
        query: same(answer.querystring, before.query) ? before.query : pairs(answer.querystring),
    };
}

function setCookies(cookies) {
    const listed = [];
    Object.keys(cookies || {}).forEach((name) => {
        (cookies[name].multiValue || [cookies[name]]).forEach((one) => {
            listed.push(`${name}=${one.value}${one.attributes ? '; ' + one.attributes : ''}`);
        });
    });
    return listed;
}

// Write the headers and cookies of a function's response.
function respond(r, answer) {
    Object.keys(answer.headers || {}).forEach((name) => {
        const field = answer.headers[name];
        r.headersOut[name] = field.multiValue ? field.multiValue.map((one) => one.value).join(', ') : String(field.value);
    });
    const cookies = setCookies(answer.cookies);
    if (cookies.length) {
        r.headersOut['Set-Cookie'] = cookies;
    }
}

function body(answer) {
    if (answer.body && typeof answer.body === 'object') {
        return answer.body.encoding === 'base64' ? Buffer.from(answer.body.data, 'base64') : answer.body.data;
    }
    return answer.body || '';
}

// Answer a viewer with what a function made; nginx takes the target of a redirect where others have their body.
function answer(r, made) {
    const status = Number(made.statusCode);
    const location = (made.headers || {}).location;
    respond(r, made);
    r.return(status, /^30[12378]$/.test(String(status)) && location ? String(location.value) : body(made));
}

function response(r) {
    const headers = {}, cookies = {};
    r.rawHeadersOut.forEach((pair) => {
        const name = pair[0].toLowerCase();
        if (name === 'set-cookie') {
            const parts = pair[1].split(';');
            const at = parts[0].indexOf('=');
            cookies[parts[0].slice(0, at)] = {value: parts[0].slice(at + 1), attributes: parts.slice(1).join(';').trim()};
        } else if (name.indexOf('x-edge-') !== 0) {
            headers[name] = {value: pair[1]};
        }
    });
    return {statusCode: r.status, statusDescription: '', headers: headers, cookies: cookies};
}

// Put a function's response in place of the one it was given, which had headers of these names.
function replace(r, names, answer) {
    names.forEach((name) => {
        if (!(name in answer.headers)) {
            delete r.headersOut[name];
        }
    });
    if (answer.statusCode && Number(answer.statusCode) !== r.status) {
        r.status = Number(answer.statusCode);
    }
    delete r.headersOut['Set-Cookie'];
    respond(r, answer);
}

export default {answer, read, rebuilt, replace, respond, response, viewerRequest};
