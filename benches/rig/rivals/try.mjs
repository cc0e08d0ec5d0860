// Starts each rival from its template, in front of a small origin that keeps what it gets, and
// says for each rival and case whether it holds. Exits 1 where a case fails that README.md does
// not list as unsupported, or holds although it is listed.
//
//   node benches/rig/rivals/try.mjs [RIVAL…]

import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

const HERE = dirname(fileURLToPath(import.meta.url));
const CASE_LIMIT_MS = 10_000;
const START_LIMIT_MS = 5_000;

const NGINX = (conf, dir) => ['nginx', '-e', `${dir}/error.log`, '-c', conf];
const HAPROXY = (conf) => ['haproxy', '-db', '-f', conf];
// README.md says why.
const MALLOC = 'GLIBC_TUNABLES=glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824';

// `job`: does modegate's job; the others pass everything through.
const RIVALS = {
  nginx: { template: 'nginx.conf', argv: NGINX },
  'nginx-lua': { job: true, template: 'nginx-lua.conf', argv: NGINX },
  haproxy: { template: 'haproxy.cfg', argv: HAPROXY },
  'haproxy-lua': { job: true, template: 'haproxy-lua.cfg', argv: (conf) => ['env', MALLOC, ...HAPROXY(conf)] },
  node: { job: true, argv: (conf, dir, listen, origin) => ['node', join(HERE, 'node/server.js'), String(listen), origin] },
};

const TAGS = ['mode', 'requested', 'profile', 'room', 'cohort'].map((tag) => `x-processing-${tag}`);

// --- the origin -----------------------------------------------------------------------------

// By the x-case header of a request: what came of it. An event stream waits for `release`.
const received = new Map();
const streams = new Map();
let originConnections = 0;

const origin = http.createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const name = req.headers['x-case'];
  received.set(name, { method: req.method, url: req.url, headers: req.headers, body: Buffer.concat(chunks) });
  if (req.url.endsWith('/stream')) {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write('data: one\n\n');
    streams.set(name, { second: () => res.end('data: two\n\n'), closed: once(res, 'close') });
  } else {
    res.writeHead(201, { 'content-type': 'text/plain', 'x-processing-mode': 'of the origin' });
    res.end('answer');
  }
});
origin.on('connection', () => originConnections++);
origin.on('upgrade', (req, socket, head) => {
  received.set(req.headers['x-case'], { headers: req.headers });
  socket.on('error', () => {});
  // HAProxy reads the key's answer and lets no wrong one through.
  const accept = createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.write(head);
  socket.pipe(socket);
});

// --- the client -----------------------------------------------------------------------------

async function send(port, { name, method = 'POST', path, headers = {}, body, chunked = false, agent = false }) {
  const all = { 'x-case': name, ...headers };
  if (body !== undefined && !chunked) all['content-length'] = Buffer.byteLength(body);
  const req = http.request({ host: '127.0.0.1', port, method, path, headers: all, agent });
  req.on('error', () => {}); // written after the answer; one before it is `once`'s to throw
  if (chunked) {
    req.write(body.slice(0, 100));
    await sleep(50);
    req.end(body.slice(100));
  } else {
    req.end(body);
  }
  const [res] = await once(req, 'response');
  return res;
}

async function text(res) {
  let all = '';
  for await (const chunk of res) all += chunk;
  return all;
}

function check(holds, what) {
  if (!holds) throw new Error(what);
}

// The cohort, by a CRC-32 of this script's own.
function cohort(room) {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(room)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (~crc >>> 0) % 10000 < 5000 ? 'canary' : 'control';
}

// --- the cases ------------------------------------------------------------------------------

const STALE = Object.fromEntries(TAGS.map((tag) => [tag, 'of the client']));

function checkMessage(rival, got, { room, requested, body, clientTags = {} }) {
  check(got !== undefined, 'the origin got nothing');
  const { headers } = got;
  if (!rival.job) {
    check(got.body.equals(Buffer.from(body)), 'the body changed');
    for (const [tag, value] of Object.entries(clientTags)) check(headers[tag] === value, `${tag} changed`);
    return;
  }
  const { processing, ...wanted } = JSON.parse(body);
  const length = headers['content-length'];
  check(length === undefined || Number(length) === got.body.length, `content-length ${length}`);
  check(isDeepStrictEqual(JSON.parse(got.body), wanted), 'the body is not the message without `processing`');
  check(!/[^"\\]"processing"/.test(got.body), '`processing` is still there');
  const tags = { mode: 'default', requested, profile: undefined, room, cohort: cohort(room) };
  for (const [tag, value] of Object.entries(tags)) {
    check(headers[`x-processing-${tag}`] === value, `x-processing-${tag}: ${headers[`x-processing-${tag}`]}`);
  }
}

async function message(rival, port, { name, body, requested, chunked, room = randomUUID() }) {
  const id = `id-of-${name}`;
  const res = await send(port, {
    name,
    path: `/api/conversations/${room}/messages?a=%2f`,
    headers: { 'content-type': 'application/json', 'x-request-id': id, ...STALE },
    body,
    chunked,
  });
  check(res.statusCode === 201, `status ${res.statusCode}`);
  check((await text(res)) === 'answer', 'the answer changed');
  const got = received.get(name);
  checkMessage(rival, got, { room, requested, body, clientTags: STALE });
  check(got.url === `/api/conversations/${room}/messages?a=%2f`, `the target became ${got.url}`);
  check(got.headers['x-request-id'] === id, `x-request-id upstream: ${got.headers['x-request-id']}`);
  if (rival.job) {
    check(res.headers['x-processing-mode'] === 'default', `answered mode: ${res.headers['x-processing-mode']}`);
    check(res.headers['x-request-id'] === id, `answered id: ${res.headers['x-request-id']}`);
  } else {
    check(res.headers['x-processing-mode'] === 'of the origin', 'the answer\'s headers changed');
  }
}

function body(length, { processing = { mode: 'fast' }, ...rest } = {}) {
  const made = { content: '', attachments: ['a'], metadata: { at: 1.5, nothing: null, 'ü': '\u{1f600}"\\\n' }, ...rest };
  if (processing) made.processing = processing; // the last member
  made.content = 'word "quoted"\n'.repeat(Math.max(0, Math.ceil((length - JSON.stringify(made).length) / 17)));
  return JSON.stringify(made);
}

const CASES = {
  'message-0.4k': (rival, port, name) => message(rival, port, { name, body: body(400), requested: 'fast' }),
  'message-32k': (rival, port, name) => message(rival, port, { name, body: body(32 << 10), requested: 'fast' }),
  'message-512k': (rival, port, name) => message(rival, port, { name, body: body(512 << 10), requested: 'fast' }),
  'message-20m': (rival, port, name) => message(rival, port, { name, body: body(20 << 20), requested: 'fast' }),
  'message-chunked': (rival, port, name) =>
    message(rival, port, { name, body: body(32 << 10, { processing: { mode: 'default' } }), requested: 'default', chunked: true }),
  'message-without': (rival, port, name) => message(rival, port, { name, body: body(400, { processing: undefined }).replace(/,"processing".*/, '}'), requested: 'none' }),
  // What a decoder and encoder must not lose.
  'empty-array': (rival, port, name) => message(rival, port, { name, body: body(400, { attachments: [] }), requested: 'fast' }),
  'long-number': async (rival, port, name) => {
    const made = body(400).replace('1.5', '12345678901234567890');
    await message(rival, port, { name, body: made, requested: 'fast' });
    check(received.get(name).body.includes('12345678901234567890'), 'digits were lost');
  },
  // 40 conversations: both cohorts, and a request id where the client has none.
  cohorts: async (rival, port, name) => {
    for (let n = 0; n < 40; n++) {
      const room = randomUUID();
      const made = body(400);
      const res = await send(port, { name, path: `/api/conversations/${room}/messages`, headers: { 'content-type': 'application/json; charset=utf-8' }, body: made });
      await text(res);
      const got = received.get(name);
      checkMessage(rival, got, { room, requested: 'fast', body: made });
      if (rival.job) {
        check(got.headers['x-request-id']?.length >= 32, 'no x-request-id upstream');
        check(res.headers['x-request-id'] === got.headers['x-request-id'], 'another id in the answer');
      }
    }
  },
  'not-json': async (rival, port, name) => {
    const res = await send(port, { name, path: '/api/conversations/c/messages', headers: { 'content-type': 'application/json' }, body: '{"content":' });
    await text(res);
    check(res.statusCode === (rival.job ? 400 : 201), `status ${res.statusCode}`);
    check(received.has(name) === !rival.job, 'the origin got it');
  },
  'other-type': async (rival, port, name) => {
    const res = await send(port, { name, path: '/api/conversations/c/messages', headers: { 'content-type': 'text/plain', ...STALE }, body: '{"processing":1}' });
    await text(res);
    const got = received.get(name);
    check(String(got.body) === '{"processing":1}', 'the body changed');
    for (const tag of TAGS) check(got.headers[tag] === 'of the client', `${tag} changed`);
    check(res.headers['x-processing-mode'] === 'of the origin', 'the answer was tagged');
  },
  get: async (rival, port, name) => {
    const path = '/api/conversations/c/messages?after=%2F1';
    const res = await send(port, { name, method: 'GET', path, headers: STALE });
    check((await text(res)) === 'answer', 'the answer changed');
    check(res.statusCode === 201 && res.headers['x-processing-mode'] === 'of the origin', 'the answer was tagged');
    const got = received.get(name);
    check(got.method === 'GET' && got.url === path, `${got.method} ${got.url}`);
    for (const tag of TAGS) check(got.headers[tag] === 'of the client', `${tag} changed`);
    check(got.headers.host === `127.0.0.1:${port}`, `host became ${got.headers.host}`);
  },
  'upload-20m': async (rival, port, name) => {
    const made = Buffer.alloc(20 << 20, 'u');
    const res = await send(port, { name, path: '/api/files', headers: { 'content-type': 'application/octet-stream' }, body: made });
    await text(res);
    check(received.get(name)?.body.equals(made), 'the body changed');
  },
  // The second event is sent only once the first was read.
  events: async (rival, port, name) => {
    const room = randomUUID();
    const made = body(400);
    const res = await send(port, { name, path: `/api/conversations/${room}/messages/stream`, headers: { 'content-type': 'application/json' }, body: made });
    checkMessage(rival, received.get(name), { room, requested: 'fast', body: made });
    const events = res[Symbol.asyncIterator]();
    check(String((await events.next()).value) === 'data: one\n\n', 'the first event');
    streams.get(name).second();
    check(String((await events.next()).value) === 'data: two\n\n', 'the second event');
    check((await events.next()).done, 'the end');
  },
  // The origin learns within a second that the client left its stream.
  'events-left': async (rival, port, name) => {
    const res = await send(port, { name, path: '/api/conversations/c/messages/stream', headers: { 'content-type': 'application/json' }, body: body(400) });
    await res[Symbol.asyncIterator]().next();
    res.on('error', () => {});
    res.destroy();
    check(await Promise.race([streams.get(name).closed, sleep(1000)]), 'the origin still writes');
  },
  websocket: async (rival, port, name) => {
    const socket = net.connect(port, '127.0.0.1');
    try {
      socket.write(`GET /ws HTTP/1.1\r\nHost: a\r\nX-Case: ${name}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`);
      let all = '';
      while (!all.includes('\r\n\r\n')) all += (await once(socket, 'data'))[0];
      check(all.startsWith('HTTP/1.1 101'), all.split('\r\n')[0]);
      for (const sent of ['ping', 'pong']) {
        socket.write(sent);
        check(String((await once(socket, 'data'))[0]) === sent, 'no echo');
      }
    } finally {
      socket.destroy();
    }
  },
  // A rival that opened a connection for each request would be measured for that instead.
  'kept-alive': async (rival, port, name) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const before = originConnections;
    const sockets = new Set();
    for (let n = 0; n < 50; n++) {
      const res = await send(port, { name, path: '/api/conversations/c/messages', headers: { 'content-type': 'application/json' }, body: body(400), agent });
      sockets.add(res.socket);
      await text(res);
    }
    agent.destroy();
    check(sockets.size === 1, `${sockets.size} connections from the client`);
    check(originConnections - before <= 1, `${originConnections - before} connections to the origin`);
  },
};

// --- the run --------------------------------------------------------------------------------

// README.md lists what a rival cannot do as `- rival: case: why`.
function unsupported() {
  const listed = new Set();
  for (const line of readFileSync(join(HERE, 'README.md'), 'utf8').split('\n')) {
    const match = /^- ([\w-]+): ([\w.-]+(?:, [\w.-]+)*): /.exec(line);
    if (!match || !(match[1] in RIVALS)) continue;
    for (const name of match[2].split(', ')) {
      check(name in CASES, `README.md names the unknown case ${name}`);
      listed.add(`${match[1]} ${name}`);
    }
  }
  return listed;
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function listening(port, child) {
  for (const end = Date.now() + START_LIMIT_MS; Date.now() < end; await sleep(50)) {
    if (child.exitCode !== null) throw new Error('it ended at once');
    const socket = net.connect(port, '127.0.0.1');
    const up = await once(socket, 'connect').then(() => true, () => false);
    socket.destroy();
    if (up) return;
  }
  throw new Error('it does not listen');
}

async function tryRival(name, rival, originPort, listed) {
  const dir = mkdtempSync(join(tmpdir(), `rival-${name}-`));
  const port = await freePort();
  const words = {
    '@LISTEN@': `127.0.0.1:${port}`,
    '@PORT@': String(port),
    '@ORIGIN@': `127.0.0.1:${originPort}`,
    '@DIR@': dir,
    '@RIVALS@': HERE,
  };
  const conf = join(dir, rival.template ?? 'none');
  if (rival.template) {
    const template = readFileSync(join(HERE, rival.template), 'utf8');
    writeFileSync(conf, template.replace(/@[A-Z]+@/g, (word) => words[word]));
  }
  const [program, ...rest] = rival.argv(conf, dir, port, words['@ORIGIN@']);
  const child = spawn(program, rest, { stdio: ['ignore', 'inherit', 'inherit'] });
  const endWithUs = () => child.kill('SIGKILL'); // whatever ends this script
  process.on('exit', endWithUs);
  const failed = once(child, 'error').then(([error]) => { throw error; });
  failed.catch(() => {});
  let wrong = 0;
  try {
    await Promise.race([listening(port, child), failed]);
    for (const [which, run] of Object.entries(CASES)) {
      received.clear();
      streams.clear();
      const begun = Date.now();
      const late = sleep(CASE_LIMIT_MS, null, { ref: false }).then(() => { throw new Error('took too long'); });
      const fault = await Promise.race([run(rival, port, which), late]).then(() => null, (error) => error.message);
      const known = listed.has(`${name} ${which}`);
      if ((fault !== null) !== known) wrong++;
      const verdict = fault === null ? (known ? 'ok, though README.md says unsupported' : 'ok') : `${known ? 'unsupported' : 'NOT OK'}: ${fault}`;
      console.log(`${name.padEnd(12)} ${which.padEnd(16)} ${String(Date.now() - begun).padStart(5)} ms  ${verdict}`);
    }
  } catch (error) {
    wrong++;
    console.log(`${name.padEnd(12)} NOT OK: ${error.message}`);
  } finally {
    if (child.exitCode === null && child.pid) {
      child.kill('SIGTERM');
      const ended = await Promise.race([once(child, 'exit'), sleep(2000, null, { ref: false })]);
      if (!ended) child.kill('SIGKILL');
    }
    process.off('exit', endWithUs);
    const log = join(dir, 'error.log');
    if (wrong && existsSync(log)) console.log(readFileSync(log, 'utf8'));
    rmSync(dir, { recursive: true, force: true });
  }
  return wrong;
}

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(RIVALS);
const unknown = chosen.filter((name) => !(name in RIVALS));
if (unknown.length) {
  console.error(`no such rival: ${unknown.join(', ')}; there are ${Object.keys(RIVALS).join(', ')}`);
  process.exit(2);
}
const listed = unsupported();
origin.listen(0, '127.0.0.1');
await once(origin, 'listening');
let wrong = 0;
for (const name of chosen) wrong += await tryRival(name, RIVALS[name], origin.address().port, listed);
process.exit(wrong ? 1 : 0);
