import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { place } from '../cli/run.js';
import { newBucket } from '../servers/store-servers.mjs';
import { objectsOf } from '../snapshot/mirror-subject.js';
import { randomContent } from '../snapshot/random-content.js';
import { credentials, gateway } from './s3-subject.js';

test('a repository is mirrored from a disk to a store, and from there to another disk', async () => {
  const its = place();
  const env = { CBR_PASSWORD: 'secret', ...credentials(gateway.owner) };
  const store = `s3:${gateway.endpoint}/${await newBucket(gateway)}/mirror`;
  const back = join(its.root, 'back');
  const run = (args: string[]) => its.run(args, { env });
  await run(['init']);
  for (const name of ['first', 'second']) {
    writeFileSync(join(its.source, name), randomContent(name.length, 6_000_000));
    expect(await run(['snapshot', its.source])).toMatchObject({ code: 0 });
    expect(await run(['mirror', '--to', store])).toMatchObject({ code: 0, stderr: '' });
    expect(await run(['mirror', '-r', store, '--to', back])).toMatchObject({ code: 0, stderr: '' });
    expect(objectsOf(back)).toEqual(objectsOf(its.repo));
  }
  expect(await run(['scrub', '-r', store])).toMatchObject({ code: 0, stderr: '' });
  expect(await run(['check', '--read-data', '-r', store])).toMatchObject({ code: 0 });
  const again = await its.json(['mirror', '--to', store, '--no-progress'], { env });
  expect(again.summary).toMatchObject({ copied: { objects: 0 }, exitCode: 0 });
}, 180_000);
