import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { place } from './run.js';

/** What a store that somebody else has taken over can do to the terminal of who asks it. */

const STEERING = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e';
/** Control characters of XML need not be escaped references: this is how the SDK is given them. */
const IN_XML = [...STEERING].map((each) => `&#x${each.codePointAt(0)!.toString(16)};`).join('');

async function answering(status: number, body: string): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(`<?xml version="1.0" encoding="UTF-8"?>${body}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `s3:http://127.0.0.1:${(server.address() as AddressInfo).port}/bucket/r`;
}

const env = {
  AWS_ACCESS_KEY_ID: 'key',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'us-east-1',
  CBR_PASSWORD: 'secret',
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/;

test.each([
  ['its message', `<Error><Code>Odd</Code><Message>Hear: ${IN_XML} me</Message></Error>`],
  ['its code', `<Error><Code>Hear: ${IN_XML} me</Code><Message>no</Message></Error>`],
])('an error of the store cannot steer the terminal by %s', async (_, body) => {
  const location = await answering(400, body);
  const run = await place().run(['snapshots', '-r', location], { env });
  expect(run.code).not.toBe(0);
  expect(run.stderr).toContain('Hear: \\x1b]0;owned\\x07');
  expect(run.stdout + run.stderr).not.toMatch(CONTROLS);
});

test('neither can the name of an object in a list', async () => {
  const contents = `<Contents><Key>r/${IN_XML}</Key><Size>1</Size></Contents>`;
  const location = await answering(
    200,
    `<ListBucketResult><IsTruncated>false</IsTruncated>${contents}</ListBucketResult>`,
  );
  const run = await place().run(['init', '-r', location], { env });
  expect(run.code).not.toBe(0);
  expect(run.stderr).toContain('it holds other things (\\x1b]0;owned');
  expect(run.stdout + run.stderr).not.toMatch(CONTROLS);
});
