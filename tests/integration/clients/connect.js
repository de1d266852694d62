// Node's own modules alone: CONNECT by http, then TLS inside, then one request. node connect.js METHOD URL [BODY-FILE]
'use strict';
const fs = require('fs');
const http = require('http');
const https = require('https');
const net = require('net');
const tls = require('tls');

const proxy = new URL(process.env.HTTPS_PROXY);
const [method, target, file] = process.argv.slice(2);
const url = new URL(target);
const body = file ? fs.readFileSync(file) : null;
const authority = `${url.hostname}:${url.port || 443}`;
const headers = { Host: authority };
if (proxy.username) {
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  headers['Proxy-Authorization'] = 'Basic ' + Buffer.from(credentials).toString('base64');
}

function fail(error) {
  console.error(String(error));
  process.exit(1);
}
const connect = http.request({ host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: authority, headers });
connect.on('error', fail);
connect.on('connect', (answer, socket) => {
  if (answer.statusCode !== 200) fail(`CONNECT: ${answer.statusCode}`);
  const host = url.hostname.replace(/^\[|\]$/g, '');  // an address is no server name (RFC 6066 3)
  const secure = tls.connect({ socket, host, servername: net.isIP(host) ? '' : host, ALPNProtocols: ['http/1.1'] });
  secure.on('error', fail);
  const request = https.request({
    createConnection: () => secure, host: url.hostname, port: url.port, method, path: url.pathname + url.search,
    headers: body ? { 'Content-Length': body.length } : {} });
  request.on('error', fail);
  request.on('response', (reply) => {
    const parts = [];
    reply.on('data', (part) => parts.push(part));
    reply.on('end', () => {
      process.stdout.write(JSON.stringify({
        status: reply.statusCode, headers: Object.entries(reply.headers).map(([k, v]) => [k, String(v)]),
        body: Buffer.concat(parts).toString('base64') }));
      secure.destroy();
    });
  });
  request.end(body || undefined);
});
connect.end();
