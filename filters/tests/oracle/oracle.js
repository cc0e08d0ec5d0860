// The oracle's end of the pipe: answers questions until its input ends. A question is a frame of
// three parts: the length of the JSON and of the bytes (4 bytes each, big-endian), the JSON, the
// bytes. An answer is the length of its JSON, and the JSON.
'use strict';

const { arrived } = require('./arrived.js');
const { judge } = require('./judge.js');
const { pathname, roomOf, stringToUuid } = require('./servers.js');

const operations = {
  version: () => process.versions.node,
  arrived: (question, bytes) => arrived(question, bytes),
  judge: (question, bytes) => judge(question, bytes),
  pathname: ({ target }) => pathname(target),
  room: ({ segment }) => roomOf(segment),
  uuid: ({ text }) => stringToUuid(text),
};

async function main() {
  const read = reader(process.stdin);
  for (;;) {
    const head = await read(8);
    if (head === null) return;
    const question = JSON.parse((await read(head.readUInt32BE(0))).toString('utf-8'));
    const bytes = await read(head.readUInt32BE(4));
    const answer = await operations[question.op](question, bytes);
    const json = Buffer.from(JSON.stringify(answer ?? null));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(json.length);
    process.stdout.write(Buffer.concat([length, json]));
  }
}

// A function that gives so many bytes of a stream, or null at its end.
function reader(stream) {
  const chunks = stream[Symbol.asyncIterator]();
  let held = [];
  let size = 0;
  return async (wanted) => {
    while (size < wanted) {
      const { done, value } = await chunks.next();
      if (done) return null;
      held.push(value);
      size += value.length;
    }
    const all = Buffer.concat(held);
    held = [all.subarray(wanted)];
    size -= wanted;
    return all.subarray(0, wanted);
  };
}

main();
