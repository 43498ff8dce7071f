import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { createBackend, openBackend, parseLocation } from '../../dist/backends/index.js';
import { CbrError } from '../../dist/core/index.js';

test('paths and file urls are folders of this machine', () => {
  for (const [text, path] of [
    ['/srv/backup', '/srv/backup'],
    ['backup', resolve('backup')],
    ['../backup/', resolve('../backup')],
    ['./s3:bucket', resolve('s3:bucket')],
    ['/srv/s3:bucket', '/srv/s3:bucket'],
    ['2026-01-02', resolve('2026-01-02')],
    ['file:///srv/my%20backup', '/srv/my backup'],
    ['file:/srv/backup', '/srv/backup'],
    ['FILE:///srv/backup', '/srv/backup'],
    ['file://localhost/srv/backup', '/srv/backup'],
  ] as const) {
    expect(parseLocation(text), text).toEqual({ kind: 'local', path });
  }
});

test('what is no location is an error of usage with a hint', () => {
  for (const text of [
    '',
    's3:bucket/prefix',
    's3://bucket',
    'sftp://host/path',
    'host:backup',
    'file:relative',
    'file://elsewhere/srv',
    'file:///srv/a%2Fb',
    'a\0b',
  ]) {
    let error: unknown;
    try {
      parseLocation(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error, text).toBeInstanceOf(CbrError);
    expect(error, text).toMatchObject({ code: 'usage', hint: expect.any(String) });
  }
  expect(() => parseLocation('s3:bucket')).toThrow(/s3: is not supported by this version/);
});

test('a location is made once and opened afterwards', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cbr-locations-'));
  try {
    const location = parseLocation(`file://${folder}/repository`);
    await expect(openBackend(location)).rejects.toMatchObject({ code: 'no-repository' });
    await (await createBackend(location)).write('config', '0', Buffer.from('config'));
    await expect(createBackend(location)).rejects.toMatchObject({ code: 'repository-exists' });
    expect(Buffer.from(await (await openBackend(location)).read('config', '0')).toString()).toBe('config');
  } finally {
    await rm(folder, { recursive: true });
  }
});
