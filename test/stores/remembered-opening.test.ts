import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Place, place } from '../cli/run.js';
import { type StoreProxy, startStoreProxy } from '../servers/store-proxy.mjs';
import { newBucket, storeClient } from '../servers/store-servers.mjs';
import { credentials, moto } from './s3-subject.js';

/** What a machine keeps of config and keys, so that it need not fetch them: it counts only while the store lists the same. */

const fetched: string[] = [];
let proxy: StoreProxy;
beforeAll(async () => {
  proxy = await startStoreProxy(moto.endpoint, {
    onRequest: ({ method, path }) => {
      const object = /\/r\/((?:config|keys)\/[^?]+)/.exec(path)?.[1];
      if (method === 'GET' && object !== undefined) fetched.push(object.replace(/(keys)\/.*/, '$1'));
    },
  });
  return () => proxy.close();
});

async function scene() {
  const its = place();
  const bucket = await newBucket(moto);
  const run = (password: string, ...args: string[]) => {
    fetched.length = 0;
    const env = { ...credentials(moto.owner), AWS_REGION: 'us-east-1' };
    return its.run(args, {
      env: { ...env, CBR_REPO: `s3:${proxy.endpoint}/${bucket}/r`, CBR_PASSWORD: password },
    });
  };
  expect(await run('first', 'init')).toMatchObject({ code: 0 });
  return { its, bucket, run };
}

/** The file in which it is kept. */
function kept(its: Place): string {
  const files = readdirSync(its.cache).map((name) => join(its.cache, name, 'opening'));
  const found = files.filter((path) => readable(path));
  expect(found).toHaveLength(1);
  return found[0]!;
}

function readable(path: string): boolean {
  try {
    return readFileSync(path).byteLength > 0;
  } catch {
    return false;
  }
}

test('config and key are fetched once, and again when what is kept is damaged or gone', async () => {
  const { its, run } = await scene();
  expect(await run('first', 'snapshots')).toMatchObject({ code: 0 });
  expect(fetched).toEqual([]);
  expect(await run('wrong', 'snapshots')).toMatchObject({ code: 12 });

  const bytes = readFileSync(kept(its));
  for (const damaged of [bytes.subarray(0, 40), Buffer.from(bytes).fill(0, 50, 60), Buffer.alloc(0)]) {
    writeFileSync(kept(its), damaged);
    expect(await run('first', 'snapshots')).toMatchObject({ code: 0 });
    expect(fetched.sort()).toEqual(['config/1', 'keys']);
    expect(readFileSync(kept(its))).toEqual(bytes);
  }
  rmSync(kept(its));
  expect(await run('first', 'snapshots')).toMatchObject({ code: 0 });
  expect(fetched.sort()).toEqual(['config/1', 'keys']);
});

test('a password that was changed elsewhere opens nothing any more, and the new one does', async () => {
  const { its, run } = await scene();
  const elsewhere = join(its.root, 'elsewhere');
  writeFileSync(join(its.root, 'new'), 'second');
  const changed = await run(
    'first',
    ...['--cache-dir', elsewhere, 'key', 'change', '--new-password-file', join(its.root, 'new')],
  );
  expect(changed).toMatchObject({ code: 0 });
  expect(await run('first', 'snapshots')).toMatchObject({ code: 12 });
  expect(await run('second', 'snapshots')).toMatchObject({ code: 0 });
  expect(await run('second', 'snapshots')).toMatchObject({ code: 0 });
  expect(fetched).toEqual([]);
});

test('another repository in the same place is not taken for the one before', async () => {
  const { bucket, run } = await scene();
  const client = storeClient(moto);
  const listed = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  const objects = (listed.Contents ?? []).map(({ Key }) => ({ Key }));
  await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects } }));
  client.destroy();
  const gone = await run('first', 'snapshots');
  expect(gone.stderr).toContain('there is no repository at');
  expect(await run('second', 'init')).toMatchObject({ code: 0 });
  expect(await run('first', 'snapshots')).toMatchObject({ code: 12 });
  expect(await run('second', 'snapshots')).toMatchObject({ code: 0 });
});

test('a key that is mended under its name opens again, also where it was found damaged', async () => {
  const { its, bucket, run } = await scene();
  const client = storeClient(moto);
  onTestFinished(() => client.destroy());
  const keysThere = async (): Promise<string[]> => {
    const { Contents = [] } = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: 'r/keys/' }),
    );
    return Contents.map(({ Key = '' }) => Key);
  };
  const before = await keysThere();
  writeFileSync(join(its.root, 'new'), 'second');
  const added = await run('first', 'key', 'add', '--new-password-file', join(its.root, 'new'));
  expect(added).toMatchObject({ code: 0 });
  const Key = (await keysThere()).find((each) => !before.includes(each))!;
  const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
  const whole = Buffer.from(await answer.Body!.transformToByteArray());
  const damaged = Buffer.from(whole);
  damaged[60]! ^= 1;
  await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: damaged }));
  expect(await run('first', 'snapshots')).toMatchObject({ code: 0 });
  expect(await run('second', 'snapshots')).toMatchObject({ code: 4 });
  await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: whole }));
  expect(await run('second', 'snapshots')).toMatchObject({ code: 0 });
  expect(await run('second', 'snapshots')).toMatchObject({ code: 0 });
  expect(fetched).toEqual([]);
});
