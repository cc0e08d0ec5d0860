'use strict';
// Node's own HTTP server as an origin. It answers each request with what it read of it, as JSON,
// and keeps a log, which a second port gives (GET) and forgets (DELETE). Bodies are latin1 strings:
// one character a byte. It ends with its input, so that it never outlives the test.

const http = require('node:http');

let log = [];

function enter(kind, request) {
  const entry = {
    kind,
    method: request.method,
    url: request.url,
    version: request.httpVersion,
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    body: '',
    trailers: {},
    complete: false,
    closed: false,
  };
  log.push(entry);
  request.on('close', () => { entry.closed = true; });
  return entry;
}

const origin = http.createServer((request, response) => {
  const entry = enter('request', request);
  request.setEncoding('latin1');
  request.on('data', (data) => { entry.body += data; });
  request.on('error', () => {});
  request.on('end', () => {
    entry.trailers = request.trailers;
    entry.complete = request.complete;
    const answer = JSON.stringify(entry);
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Length', Buffer.byteLength(answer));
    response.end(answer);
  });
});
for (const kind of ['upgrade', 'connect']) {
  origin.on(kind, (request, socket) => {
    enter(kind, request);
    socket.on('error', () => {});
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  });
}
origin.on('clientError', (error, socket) => {
  log.push({ kind: 'error', code: error.code });
  if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
});

const control = http.createServer((request, response) => {
  response.end(JSON.stringify(log));
  if (request.method === 'DELETE') log = [];
});

origin.listen(0, '127.0.0.1', () => {
  control.listen(0, '127.0.0.1', () => {
    console.log(`${origin.address().port} ${control.address().port}`);
  });
});
process.stdin.on('end', () => process.exit(0)).resume();
