import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { createBackend, openBackend, parseLocation, type S3Location } from '../../dist/backends/index.js';
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
    expect(parseLocation(text), text).toEqual({ kind: 'local', path, text: path });
  }
});

test('what is no location is an error of usage with a hint', () => {
  for (const text of [
    '',
    's3:bucket/prefix',
    's3://',
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
  expect(() => parseLocation('rclone:bucket')).toThrow(/rclone: is not supported by this version/);
});

test('a location is made once and opened afterwards', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cbr-locations-'));
  try {
    const location = parseLocation(`file://${folder}/repository`);
    const options = { stagingFolder: join(folder, 'staging') };
    await expect(openBackend(location, options)).rejects.toMatchObject({ code: 'no-repository' });
    await (await createBackend(location, options)).write('config', '0', Buffer.from('config'));
    await expect(createBackend(location, options)).rejects.toMatchObject({ code: 'repository-exists' });
    expect(Buffer.from(await (await openBackend(location, options)).read('config', '0')).toString()).toBe(
      'config',
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.each([
  ['s3:https://host/bucket', 's3:https://host/bucket', 'https://host', 'bucket', ''],
  ['S3:HTTP://Host:80/bucket/', 's3:http://host/bucket', 'http://host', 'bucket', ''],
  ['s3:host:9000/bucket/a//b/', 's3:https://host:9000/bucket/a/b', 'https://host:9000', 'bucket', 'a/b/'],
  [
    's3:http://[::1]:9000/bucket/%c3%a4+b',
    's3:http://[::1]:9000/bucket/%C3%A4%2Bb',
    'http://[::1]:9000',
    'bucket',
    'ä+b/',
  ],
  ['s3://bucket/my%20files?region=eu-central-1', 's3://bucket/my%20files', undefined, 'bucket', 'my files/'],
])('%s is a place in an object store', (written, text, endpoint, bucket, prefix) => {
  expect(parseLocation(written)).toMatchObject({ kind: 's3', text, endpoint, bucket, prefix });
});

test('a location says how its store is to be used, and a plus is a plus', () => {
  const { options } = parseLocation(
    's3:https://host/bucket?ca-file=/etc/my+ca%20file.pem&limit-upload=2MiB&style=virtual&storage-class=STANDARD_IA&sse=aws:kms:a/b',
  ) as S3Location;
  expect(options).toEqual({
    caFile: '/etc/my+ca file.pem',
    limitUpload: 2 ** 21,
    style: 'virtual',
    storageClass: 'STANDARD_IA',
    sse: 'aws:kms:a/b',
  });
});

test.each([
  ['s3:', /names no host/],
  ['s3:https://host', /names no bucket/],
  ['s3:https:///bucket', /names no host/],
  ['s3://', /names no bucket/],
  ['s3:https://key:secret@host/bucket', /a name or a password/],
  ['s3:https://host/bu cket', /no name of a bucket/],
  ['s3:https://host/bucket/../other', /a part that no store takes/],
  ['s3:https://host/bucket/a%00b', /a part that no store takes/],
  ['s3:https://host/bucket/%zz', /percent-encoded/],
  ['s3:https://host/bucket?color=red', /has the option "color"/],
  ['s3:https://host/bucket?style=round', /path or virtual/],
  ['s3:https://host/bucket?limit-upload=fast', /a size for each second/],
  ['s3:https://host/bucket?connections=0', /from 1 to 256/],
])('%s is refused', (written, message) => {
  expect(() => parseLocation(written)).toThrow(
    expect.objectContaining({ code: 'usage', message: expect.stringMatching(message) }),
  );
});

test('discs: a path as it is, options of whoever opens them, and a plus is a plus', async () => {
  const location = parseLocation('disc:/srv/a%20+b?media=dvd+r&label=x%20y');
  expect(location).toEqual({
    kind: 'disc',
    path: '/srv/a%20+b',
    text: 'disc:/srv/a%20+b',
    options: new Map([
      ['media', 'dvd+r'],
      ['label', 'x y'],
    ]),
  });
  expect(parseLocation('disc:discs/').text).toBe(`disc:${resolve('discs')}`);
  for (const text of [
    'disc:',
    'disc:?media=cd-80',
    'disc:a?media',
    'disc:a?=1',
    'disc:a?b=%zz',
    'disc:a?b=1&b=2',
  ]) {
    expect(() => parseLocation(text), text).toThrow(CbrError);
  }
  await expect(openBackend(location, { stagingFolder: '/nowhere' })).rejects.toMatchObject({ code: 'usage' });
});
