// The `ws` client with https-proxy-agent: node websocket.js URL. Prints one JSON object.
'use strict';
const { HttpsProxyAgent } = require('https-proxy-agent');
const { WebSocket } = require('ws');

const agent = new HttpsProxyAgent(process.env.https_proxy);
const socket = new WebSocket(process.argv[2], { agent });
const bytes = Buffer.concat(Array(1000).fill(Buffer.from([...Array(256).keys()])));
const seen = {};

function print() {
  process.stdout.write(JSON.stringify(seen));
  process.exit(0);
}
socket.on('unexpected-response', (request, answer) => {
  seen.status = answer.statusCode;
  seen.headers = Object.entries(answer.headers);
  print();
});
socket.on('error', (error) => {
  console.error(String(error));
  process.exit(1);
});
socket.on('open', () => socket.send('grüße'));
socket.on('message', (data, binary) => {
  if (!binary) {
    seen.text = data.toString();
    socket.send(bytes);
  } else {
    seen.binary = data.equals(bytes);
    socket.ping('are you there?');
  }
});
socket.on('pong', () => {
  seen.pong = true;
  socket.send('bye');
});
socket.on('close', (code, reason) => {
  seen.close = [code, reason.toString()];
  print();
});
