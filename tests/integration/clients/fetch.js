// Node's fetch (undici) through a proxy: node fetch.js METHOD URL [BODY-FILE [chunked]]. Prints one JSON object.
'use strict';
const fs = require('fs');
const { ProxyAgent, fetch } = require('undici');

const proxy = new URL(process.env.HTTPS_PROXY);
const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
const dispatcher = new ProxyAgent({
  uri: proxy.origin,
  ...(proxy.username ? { token: 'Basic ' + Buffer.from(credentials).toString('base64') } : {}),
});
const [method, url, file, framing] = process.argv.slice(2);

async function main() {
  const options = { method, dispatcher };
  if (file && framing === 'chunked') Object.assign(options, { body: fs.createReadStream(file), duplex: 'half' });
  else if (file) options.body = fs.readFileSync(file);
  const answer = await fetch(url, options);
  const body = Buffer.from(await answer.arrayBuffer());
  process.stdout.write(JSON.stringify({
    status: answer.status, headers: [...answer.headers], body: body.toString('base64') }));
  await dispatcher.close();
}
main().catch((error) => {
  console.error(String(error), error.cause ? String(error.cause) : '');
  process.exit(1);
});
