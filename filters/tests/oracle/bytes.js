// Where members stand in a body that is known to be JSON, and whether edits take away what they
// may: the members, their commas, and no byte more.
'use strict';

const [QUOTE, COMMA, COLON, BACKSLASH] = [...Buffer.from('",:\\')];
const BLANKS = new Set(Buffer.from(' \t\r\n'));
const OPENS = new Set(Buffer.from('{['));
const CLOSES = new Set(Buffer.from('}]'));
const MARK = Buffer.from('\ufeff');

// The objects that may hold the contract member, each as its members.
function objects(bytes, dialect) {
  const root = members(bytes, start(bytes));
  if (dialect !== 'rpc') return [root];
  const params = root.filter(({ name, value }) => name === 'params' && bytes[value.start] === 0x7b);
  return params.map(({ value }) => members(bytes, value.start));
}

function start(bytes) {
  let at = 0;
  while (bytes.subarray(at, at + MARK.length).equals(MARK)) at += MARK.length;
  return pastBlanks(bytes, at);
}

// The members of the object that begins at `at`.
function members(bytes, at) {
  const list = [];
  at = pastBlanks(bytes, at + 1);
  while (bytes[at] === QUOTE) {
    const key = at;
    at = pastString(bytes, at);
    const name = JSON.parse(bytes.toString('utf-8', key, at));
    at = pastBlanks(bytes, pastBlanks(bytes, at) + 1);
    const value = { start: at, end: pastValue(bytes, at) };
    at = pastBlanks(bytes, value.end);
    const comma = bytes[at] === COMMA ? at : null;
    list.push({ name, key, value, comma });
    if (comma !== null) at = pastBlanks(bytes, at + 1);
  }
  return list;
}

function pastBlanks(bytes, at) {
  while (BLANKS.has(bytes[at])) at += 1;
  return at;
}

function pastString(bytes, at) {
  for (at += 1; bytes[at] !== QUOTE; at += 1) if (bytes[at] === BACKSLASH) at += 1;
  return at + 1;
}

function pastValue(bytes, at) {
  let depth = 0;
  do {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = pastString(bytes, at);
      continue;
    }
    if (OPENS.has(byte)) depth += 1;
    if (CLOSES.has(byte)) depth -= 1;
    at += 1;
    if (depth === 0 && !CLOSES.has(byte)) while (isPlain(bytes[at])) at += 1;
  } while (depth > 0);
  return at;
}

function isPlain(byte) {
  return byte !== undefined && byte !== COMMA && byte !== COLON && !BLANKS.has(byte) && !CLOSES.has(byte);
}

function splice(bytes, edits) {
  const pieces = [];
  let kept = 0;
  for (const { start: from, end, with: inserted } of edits) {
    if (from < kept || end < from || end > bytes.length) return null;
    pieces.push(bytes.subarray(kept, from), Buffer.from(inserted));
    kept = end;
  }
  pieces.push(bytes.subarray(kept));
  return Buffer.concat(pieces);
}

// Why these edits are not the removal of the members called `field`, or null.
function faultOfRemoval(edits, lists, field) {
  const ends = new Map();
  const commas = new Set();
  let due = 0;
  for (const list of lists) {
    const mine = list.filter(({ name }) => name === field);
    if (mine.length === 0) continue;
    for (const { key, value } of mine) ends.set(key, value.end);
    for (const { comma } of list) if (comma !== null) commas.add(comma);
    due += Math.min(mine.length, list.length - 1);
  }
  let gone = 0;
  for (const edit of edits) {
    if (edit.with !== '') return `the edit at ${edit.start} inserts`;
    let at = edit.start;
    while (at < edit.end) {
      if (commas.delete(at)) {
        due -= 1;
        at += 1;
      } else if (ends.has(at)) {
        gone += 1;
        at = ends.get(at);
      } else {
        return `the byte at ${at} is neither of a member nor its comma`;
      }
    }
    if (at !== edit.end) return `the edit that ends at ${edit.end} cuts a member`;
  }
  if (gone !== ends.size) return `${ends.size - gone} members stay`;
  return due === 0 ? null : `${due} commas too many stay`;
}

// Why these edits are not the replacement of those members' values, or null.
function faultOfReplacement(edits, lists, field, replacement) {
  const mine = lists.flat().filter(({ name }) => name === field);
  if (mine.length !== edits.length) return `${edits.length} edits for ${mine.length} members`;
  const wrong = edits.findIndex((edit, place) => edit.with !== replacement
    || edit.start !== mine[place].value.start || edit.end !== mine[place].value.end);
  return wrong < 0 ? null : `the edit at ${edits[wrong].start} is not of a member's value`;
}

// Whether `out` is the body without the members called `field` and without some of the commas
// beside members: every byte else in its place.
function isRemoval(bytes, out, lists, field) {
  const holders = lists.filter((list) => list.some(({ name }) => name === field));
  const gaps = holders.flat().flatMap(({ name, key, value, comma }) => [
    ...(name === field ? [{ from: key, to: value.end }] : []),
    ...(comma === null ? [] : [{ from: comma, to: comma + 1, may: true }]),
  ]);
  // Where `out` may have got to: a comma goes or stays.
  let places = [0];
  let kept = 0;
  for (const { from, to, may } of [...gaps, { from: bytes.length, to: bytes.length }]) {
    const part = bytes.subarray(kept, from);
    places = places
      .filter((at) => out.subarray(at, at + part.length).equals(part))
      .map((at) => at + part.length);
    if (may) places = [...new Set(places.flatMap((at) => (out[at] === COMMA ? [at, at + 1] : [at])))];
    kept = to;
  }
  return places.includes(out.length);
}

module.exports = { faultOfRemoval, faultOfReplacement, isRemoval, members, objects, splice, start };
