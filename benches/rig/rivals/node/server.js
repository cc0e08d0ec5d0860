// modegate's job (../README.md) as a Node sidecar on http-proxy, the way the product's own
// servers are written. node server.js LISTEN_PORT ORIGIN_HOST:ORIGIN_PORT

import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import httpProxy from 'http-proxy';

const PERCENT = 50;
const BODY_LIMIT = 32 * 1024 * 1024;
const MESSAGES = /^\/api\/conversations\/([^/?]+)\/messages(?:\/stream)?(?:\?|$)/;
const JSON_TYPE = /^application\/json\s*(?:;|$)/i;

const [listenPort, origin] = process.argv.slice(2);
const [host, port] = origin.split(':');

const proxy = httpProxy.createProxyServer({
  target: { protocol: 'http:', host, hostname: host, port },
  toProxy: true, // the target goes on as it came
  agent: new http.Agent({ keepAlive: true, maxFreeSockets: 512, scheduling: 'lifo' }),
});

proxy.on('proxyReq', (proxyReq, req, res) => {
  // http-proxy notices a client that left only while the request is read; without this the
  // origin would write an event stream to nobody for ever.
  res.on('close', () => {
    if (!res.writableFinished) proxyReq.destroy();
  });
});

proxy.on('proxyRes', (proxyRes, req) => {
  if (req.answerTags) Object.assign(proxyRes.headers, req.answerTags);
});

proxy.on('error', (error, req, res) => {
  if (res.writeHead && !res.headersSent) refuse(res, 502, 'Bad gateway');
  else res.destroy();
});

function refuse(res, status, error) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ error }));
}

async function readBody(req) {
  const chunks = [];
  let length = 0;
  for await (const chunk of req) {
    length += chunk.length;
    if (length > BODY_LIMIT) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

async function message(req, res, room) {
  let body = await readBody(req);
  if (body === null) return refuse(res, 413, 'Request body too large');

  let parsed;
  try {
    parsed = JSON.parse(body);
  } catch {
    return refuse(res, 400, 'Invalid JSON in request body');
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) {
    return refuse(res, 400, 'Invalid JSON in request body');
  }

  let requested = 'none';
  if ('processing' in parsed) {
    if (parsed.processing !== null) {
      requested = parsed.processing.mode;
      if (requested !== 'default' && requested !== 'fast') {
        return refuse(res, 400, 'Invalid processing');
      }
    }
    delete parsed.processing;
    body = Buffer.from(JSON.stringify(parsed));
  }

  const mode = 'default'; // whatever was asked for: runtime is off
  const id = req.headers['x-request-id'] || randomUUID();
  delete req.headers['transfer-encoding'];
  delete req.headers['x-processing-profile'];
  req.headers['content-length'] = body.length;
  req.headers['x-processing-mode'] = mode;
  req.headers['x-processing-requested'] = requested;
  req.headers['x-processing-room'] = room;
  req.headers['x-processing-cohort'] = crc32(room) % 10000 < PERCENT * 100 ? 'canary' : 'control';
  req.headers['x-request-id'] = id;
  req.answerTags = { 'x-processing-mode': mode, 'x-request-id': id };
  proxy.web(req, res, { buffer: Readable.from([body]) });
}

const server = http.createServer((req, res) => {
  const match = req.method === 'POST' && MESSAGES.exec(req.url);
  if (match && JSON_TYPE.test(req.headers['content-type'])) {
    message(req, res, match[1]).catch(() => res.destroy());
  } else {
    proxy.web(req, res);
  }
});

server.on('upgrade', (req, socket, head) => proxy.ws(req, socket, head));
server.keepAliveTimeout = 600_000;
server.requestTimeout = 600_000;
server.listen(listenPort, '127.0.0.1', 4096);
