// Judges one verdict of the sidecar by what the servers read: the reasons why it is wrong, none
// if it is right. The invariants I1 to I5 are named where they are checked.
'use strict';

const crypto = require('node:crypto');
const { faultOfRemoval, faultOfReplacement, members, objects, splice, start } = require('./bytes.js');
const { cohortOf, decide, requestOf } = require('./contract.js');
const {
  holderOf, isObject, isRequest, own, placeOf, readAsApiServer, readAsCloudProxy, routeOf,
} = require('./servers.js');

async function judge(question, body) {
  const { leg, method = 'POST', target, encodings = [], settings, verdict } = question;
  const wrong = [];
  const same = (what, ours, theirs) => {
    if (ours !== theirs) wrong.push(`${what}: ${JSON.stringify(ours)}, by Node ${JSON.stringify(theirs)}`);
  };
  if (leg === 'runtime' && verdict.rejection?.reason === 'not_allowed') {
    // The entrypoint compares what it is sent: nothing that it would have read as a message.
    same('served', method === 'POST' && ['/bridge', '/bridge/stream'].includes(target), false);
    same('action', verdict.action, 'reject');
    return wrong;
  }
  // What comes with a body is judged as a message whatever the method.
  const route = routeOf(leg, 'POST', target);
  same('dialect', verdict.dialect, route?.dialect ?? null);
  if (route === null) {
    same('action', verdict.action, 'pass');
    same('edits', verdict.body_edits.length, 0);
    return wrong;
  }

  const read = { E: readAsApiServer(body), U: await readAsCloudProxy(body) };
  const server = leg === 'bridge' ? read.U : read.E;
  const refusal = refusalOf(leg, encodings, body, server, settings);
  if (refusal !== null) {
    // I5
    same('refusal', verdict.rejection?.reason ?? null, refusal);
    refuses(verdict, route, refusal === 'not_a_request' ? { body, value: server.value } : null, same);
    return wrong;
  }

  const { value } = server;
  const member = own(holderOf(value, route.dialect), settings.field);
  const request = requestOf(member, settings.modes);
  const place = placeOf(value, route);
  const { cohort, rank } = cohortOf(place.key, settings);
  const decision = decide(request, cohort, settings);

  // I4
  same('requested', verdict.requested, request.requested);
  same('room', verdict.room, place.room);
  same('rank', verdict.rank, rank);
  same('cohort', verdict.cohort, cohort);
  same('effective', verdict.effective, decision.effective);
  same('profile', verdict.profile, decision.profile);
  if (decision.action === 'reject') {
    same('refusal', verdict.rejection?.reason ?? null, request.fault);
    refuses(verdict, route, { body, value }, same);
    return wrong;
  }
  same('refusal', verdict.rejection?.reason ?? null, null);
  if (verdict.headers !== undefined) tagged(verdict, request, place, same);

  const lists = objects(body, route.dialect);
  const stands = lists.flat().some(({ name }) => name === settings.field);
  const strips = decision.action === 'strip';
  same('action', verdict.action, strips && !stands ? 'pass' : decision.action);
  if (decision.action === 'pass' || !stands) {
    // I2
    same('edits', verdict.body_edits.length, 0);
    return wrong;
  }

  // I3, by the bytes
  const replaces = decision.action === 'downgrade' && settings.downgrade === 'replace';
  const replacement = replacementOf(settings);
  const fault = replaces
    ? faultOfReplacement(verdict.body_edits, lists, settings.field, replacement)
    : faultOfRemoval(verdict.body_edits, lists, settings.field);
  same('edits', fault, null);
  const out = splice(body, verdict.body_edits);
  if (out === null) return [...wrong, 'the edits overlap or leave the body'];

  // I1 and I3, by what both servers read
  await reads({ out, read, route, settings, replaces }, same);
  return wrong;
}

function replacementOf({ modes }) {
  return `{"mode":"${modes[0]}"}`;
}

// Whether both servers read in what leaves what they read in what came, but for the member: gone,
// or replaced in the server's last reading of it.
async function reads({ out, read, route, settings, replaces }, same) {
  const { field } = settings;
  const after = { E: readAsApiServer(out), U: await readAsCloudProxy(out) };
  for (const name of ['E', 'U']) {
    same(`${name} reads what leaves`, after[name].error, read[name].error);
    if (after[name].error || read[name].error) continue;
    const holder = holderOf(read[name].value, route.dialect);
    if (replaces && Object.hasOwn(holder, field)) {
      holder[field] = JSON.parse(replacementOf(settings));
    } else {
      delete holder[field];
      const left = holderOf(after[name].value, route.dialect);
      same(`${name} still sees the member`, Object.hasOwn(left, field), false);
    }
    same(`${name} reads the same otherwise`, deepEqual(read[name].value, after[name].value), true);
  }
}

function refusalOf(leg, encodings, body, server, { body_limit }) {
  if (encodings.some((encoding) => !/^(identity)?$/i.test(encoding))) return 'encoding';
  if (body.length > body_limit) return 'too_large';
  if (server.error) return 'not_json';
  if (!isObject(server.value)) return 'not_an_object';
  return leg === 'runtime' && !isRequest(server.value) ? 'not_a_request' : null;
}

// A refusal edits and tags nothing, and speaks as the dialect's server does, with the id of a
// JSON-RPC request that could be read.
function refuses(verdict, { dialect }, readable, same) {
  same('action', verdict.action, 'reject');
  same('edits', verdict.body_edits.length, 0);
  same('tags', Object.keys(verdict.headers ?? {}).length, 0);
  if (!verdict.rejection) return;
  const said = JSON.parse(verdict.rejection.body);
  switch (dialect) {
    case 'conversation':
      same('error', typeof said.error, 'string');
      break;
    case 'rpc':
      same('jsonrpc', said.jsonrpc, '2.0');
      same('error', `${typeof said.error?.message} ${typeof said.error?.code}`, 'string number');
      same('id', said.id, readable === null ? null : idOf(readable));
      break;
    default:
      same('error', `${typeof said.error?.message} ${typeof said.error?.type}`, 'string string');
  }
}

// An id is repeated if it is a string or a number of at most 256 bytes.
function idOf({ body, value }) {
  const id = own(value, 'id');
  if (typeof id !== 'string' && typeof id !== 'number') return null;
  const literal = members(body, start(body)).findLast(({ name }) => name === 'id').value;
  return literal.end - literal.start <= 256 ? id : null;
}

function tagged({ headers, requested, effective, cohort, profile }, request, { room }, same) {
  same('x-processing-requested', headers['x-processing-requested'], request.requested);
  same('x-processing-mode', headers['x-processing-mode'], effective);
  same('x-processing-cohort', headers['x-processing-cohort'], cohort);
  same('x-processing-profile', headers['x-processing-profile'] ?? null, profile);
  same('x-processing-room', headers['x-processing-room'] ?? null, room === null ? null : headerForm(room));
}

function headerForm(room) {
  const escape = (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  const visible = (byte) => byte > 0x20 && byte < 0x7f;
  const form = [...Buffer.from(room)]
    .map((byte) => (visible(byte) ? String.fromCharCode(byte) : escape(byte))).join('');
  if (form.length <= 200) return form;
  return `sha256:${crypto.createHash('sha256').update(room).digest('hex')}`;
}

// Equal values with equal keys in equal order, however deep.
function deepEqual(one, other) {
  const pairs = [[one, other]];
  while (pairs.length > 0) {
    const [a, b] = pairs.pop();
    if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) {
      if (!Object.is(a, b)) return false;
      continue;
    }
    const [ours, theirs] = [Object.keys(a), Object.keys(b)];
    if (Array.isArray(a) !== Array.isArray(b) || ours.length !== theirs.length) return false;
    for (let place = 0; place < ours.length; place += 1) {
      const key = ours[place];
      if (key !== theirs[place]) return false;
      pairs.push([a[key], b[key]]);
    }
  }
  return true;
}

module.exports = { judge, reads, refusalOf, replacementOf, tagged };
