// What the servers behind the sidecar read: bodies, targets, rooms and keys. Written after what
// those servers do, knowing nothing of how the sidecar reads.
'use strict';

const crypto = require('node:crypto');

// E, the API server; the runtime's entrypoint reads alike, but survives no error.
function readAsApiServer(bytes) {
  try {
    return { value: JSON.parse(bytes.toString('utf-8')) };
  } catch {
    return { error: true };
  }
}

// U, the cloud proxy.
async function readAsCloudProxy(bytes) {
  try {
    return { value: await new Response(bytes).json() };
  } catch {
    return { error: true };
  }
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// Whether the runtime's entrypoint survives a message.
function isRequest({ id, method, params }) {
  if (typeof method !== 'string') return false;
  // It is repeated in the answer, and may be nested deeper than can be written.
  if (typeof id === 'object' && id !== null) return false;
  if (params === undefined) return true;
  return isObject(params) && (params.text === undefined || typeof params.text === 'string');
}

function pathname(target) {
  try {
    return new URL(target, 'http://localhost').pathname;
  } catch {
    return null;
  }
}

const ROUTES = {
  frontend: [
    [/^\/api\/conversations\/([^/]+)\/messages(?:\/stream)?$/, 'conversation'],
    [/^\/api\/chat(?:\/stream)?$/, 'conversation'],
    [/^\/v1\/chat\/completions$/, 'openai'],
    [/^\/v1\/messages$/, 'anthropic'],
  ],
  bridge: [[/^\/api\/v1\/(?:milaidy|milady|eliza)\/agents\/[^/]+\/(?:bridge|stream)$/, 'rpc']],
  runtime: [[/^\/bridge(?:\/stream)?$/, 'rpc']],
};

function routeOf(leg, method, target) {
  if (method !== 'POST') return null;
  const path = pathname(target);
  for (const [pattern, dialect] of ROUTES[leg]) {
    const match = path === null ? null : pattern.exec(path);
    if (match) return { dialect, conversation: match[1] };
  }
  return null;
}

// The object that holds the contract member.
function holderOf(body, dialect) {
  if (dialect !== 'rpc') return body;
  return isObject(body.params) ? body.params : {};
}

function own(object, name) {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function stringToUuid(text) {
  const digest = crypto.createHash('sha1').update(encodeURIComponent(text)).digest();
  const bytes = digest.subarray(0, 16);
  bytes[6] &= 0x0f;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  const cuts = [0, 8, 12, 16, 20, 32];
  return cuts.slice(1).map((end, place) => hex.slice(cuts[place], end)).join('-');
}

// The room of a conversation, from its id as it stands in the path.
function roomOf(segment) {
  try {
    return stringToUuid(`web-conv-${decodeURIComponent(segment)}`);
  } catch {
    return null;
  }
}

// The room and what the message is bucketed by, as text that UTF-8 can carry.
function placeOf(body, { dialect, conversation }) {
  switch (dialect) {
    case 'conversation': {
      const room = conversation === undefined ? 'web-chat' : roomOf(conversation);
      return { room, key: room };
    }
    case 'openai':
      return { room: 'openai-compat', key: completionsKey(body) };
    case 'anthropic':
      return { room: 'anthropic-compat', key: completionsKey(body) };
    default: {
      const id = own(holderOf(body, dialect), 'roomId');
      const room = typeof id === 'string' ? id.toWellFormed() : null;
      return { room, key: room };
    }
  }
}

function completionsKey(body) {
  const user = own(body, 'user');
  const metadata = own(body, 'metadata');
  const of = (name) => (isObject(metadata) ? own(metadata, name) : undefined);
  const sources = [user, of('conversation_id'), of('conversationId'), of('user_id')];
  const key = sources.find((source) => typeof source === 'string' && source !== '') ?? 'default';
  return key.slice(0, 120).toWellFormed();
}

module.exports = {
  holderOf, isObject, isRequest, own, pathname, placeOf, readAsApiServer, readAsCloudProxy,
  roomOf, routeOf, stringToUuid,
};
