// Judges a whole exchange from outside: what a client sent and what arrived at the origin, by what
// the servers read in both. The reasons why it is wrong, none if it is right; the invariants are
// named where they are checked.
'use strict';

const { isRemoval, objects, splice } = require('./bytes.js');
const { cohortOf, decide, requestOf } = require('./contract.js');
const { reads, refusalOf, replacementOf, tagged } = require('./judge.js');
const { holderOf, own, placeOf, readAsApiServer, readAsCloudProxy, routeOf } = require('./servers.js');

// `sent` bytes are the body that was sent, the rest is the body that arrived; `headers` and `there`
// (its target) are the arrived request's, null where none arrived.
async function arrived(question, bytes) {
  const {
    leg, target, encodings, may_be_refused, settings, sent, status, headers, there,
  } = question;
  const wrong = [];
  const same = (what, seen, due) => {
    if (seen !== due) wrong.push(`${what}: ${JSON.stringify(seen)}, by Node ${JSON.stringify(due)}`);
  };
  const body = bytes.subarray(0, sent);
  const out = bytes.subarray(sent);
  // A body is inspected whatever the method.
  const route = routeOf(leg, 'POST', target);
  if (headers === null && may_be_refused && Math.floor(status / 100) === 4) return wrong;
  // What the origin's router makes of what arrived is what the sidecar made of what was sent.
  const inspected = headers !== null && headers['x-processing-mode'] !== undefined;
  const routed = there === null ? null : routeOf(leg, 'POST', there);
  if (headers !== null) {
    same('inspected', inspected, routed !== null);
    same('conversation', routed?.conversation, route?.conversation);
  }
  if (route === null) {
    same('arrived', headers !== null, true);
    same('the same bytes', out.equals(body), true);
    same('tags', Object.keys(headers ?? {}).filter((name) => /^x.processing/.test(name)).length, 0);
    return wrong;
  }

  const read = { E: readAsApiServer(body), U: await readAsCloudProxy(body) };
  const server = leg === 'bridge' ? read.U : read.E;
  const refusal = refusalOf(leg, encodings, body, server, settings);
  const member = refusal === null ? own(holderOf(server.value, route.dialect), settings.field) : null;
  const request = requestOf(member, settings.modes);
  const place = refusal === null ? placeOf(server.value, route) : null;
  const { cohort } = cohortOf(place?.key ?? null, settings);
  const decision = decide(request, cohort, settings);
  if (refusal !== null || decision.action === 'reject') {
    // I5
    same('arrived', headers !== null, false);
    same('bytes arrived', out.length, 0);
    same('status', Math.floor(status / 100), 4);
    return wrong;
  }
  same('arrived', headers !== null, true);
  same('status', status, 200);
  if (headers === null) return wrong;
  same('length', headers['content-length'], String(out.length));
  // I4
  tagged({ headers, ...request, ...decision, cohort }, request, place, same);
  same('requested', headers['x-processing-requested'], request.requested);

  const lists = objects(body, route.dialect);
  const stands = lists.flat().some(({ name }) => name === settings.field);
  if (decision.action === 'pass' || !stands) {
    // I2
    same('the same bytes', out.equals(body), true);
    return wrong;
  }
  // I1 and I3
  const replaces = decision.action === 'downgrade' && settings.downgrade === 'replace';
  const edits = lists.flat().filter(({ name }) => name === settings.field)
    .map(({ value }) => ({ ...value, with: replacementOf(settings) }));
  same('nothing else changed', replaces
    ? out.equals(splice(body, edits)) : isRemoval(body, out, lists, settings.field), true);
  await reads({ out, read, route, settings, replaces }, same);
  return wrong;
}

module.exports = { arrived };
