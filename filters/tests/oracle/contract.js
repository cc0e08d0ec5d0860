// The contract and the cohort, after the design's own words: what a value asks for, which rank a
// key has, and the table of the decision.
'use strict';

const { isObject, own } = require('./servers.js');

const SHARED = ['web-chat', 'openai-compat', 'anthropic-compat', 'default'];

// What a contract value asks for: a mode's name, `none`, or `invalid` with the fault's reason.
function requestOf(value, modes) {
  if (value === undefined || value === null) return { requested: 'none' };
  if (!isObject(value)) return { requested: 'invalid', fault: 'contract_not_an_object' };
  const [mode, profile, reason] = ['mode', 'profile', 'reason'].map((name) => own(value, name));
  const isText = (text, limit) => typeof text === 'string' && text.length <= limit;
  if (mode !== undefined && !modes.includes(mode)) return { requested: 'invalid', fault: 'contract_mode' };
  if (profile !== undefined && !isText(profile, 64)) return { requested: 'invalid', fault: 'contract_profile' };
  if (reason !== undefined && !isText(reason, 256)) return { requested: 'invalid', fault: 'contract_reason' };
  return { requested: mode ?? 'none', profile };
}

// Unleash's hash, refined below one percent; without a usable key, control.
function cohortOf(key, { salt, ppm }) {
  const usable = key !== null && key !== '' && !SHARED.includes(key)
    && Buffer.byteLength(key) <= 256 && !/[\u0000-\u001f\u007f-\u009f]/.test(key);
  if (!usable) return { cohort: 'control', rank: null };
  const hash = murmur3(Buffer.from(`${salt}:${key}`));
  const perPercent = 42949673;
  const rank = (hash % 100) * perPercent + Math.floor(hash / 100);
  const threshold = (BigInt(ppm) * 100n * BigInt(perPercent)) / 1000000n;
  return { cohort: BigInt(rank) < threshold ? 'canary' : 'control', rank };
}

// MurmurHash3_x86_32 with seed 0.
function murmur3(bytes) {
  const mix = (word) => Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  const rotate = (word, by) => (word << by) | (word >>> (32 - by));
  const whole = bytes.length - (bytes.length % 4);
  let hash = 0;
  for (let at = 0; at < whole; at += 4) {
    hash = (Math.imul(rotate(hash ^ mix(bytes.readInt32LE(at)), 13), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= whole; at -= 1) tail = (tail << 8) | bytes[at];
  hash ^= mix(tail) ^ bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

// The table of the decision. `strip` is for a body that holds the member.
function decide({ requested, fault, profile }, cohort, settings) {
  const { flags, modes, profiles } = settings;
  const leaves = (action) => ({ action, effective: modes[0], profile: null });
  if (flags.kill || !flags.contract) return leaves('strip');
  if (fault !== undefined) return leaves('reject');
  if (requested === 'none' || requested === modes[0]) return leaves('pass');
  if (!flags.runtime || cohort === 'control') return leaves('downgrade');
  if (profile !== undefined && own(profiles, profile) !== requested) return leaves('downgrade');
  return { action: 'pass', effective: requested, profile: profile ?? null };
}

module.exports = { cohortOf, decide, requestOf };
