import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { place } from '../cli/run.js';
import { GATEWAY_NAME } from '../servers/ceph-gateway.mjs';
import { startStoreProxy } from '../servers/store-proxy.mjs';
import { newBucket } from '../servers/store-servers.mjs';
import { credentials, gateway } from './s3-subject.js';

const NAMES = join(import.meta.dirname, '../servers/name-server.cjs');

test.each(['path', 'virtual'])(
  'the bucket is named in the place of the style %s',
  async (style) => {
    const its = place();
    const seen: { host: string; isInPath: boolean }[] = [];
    const bucket = await newBucket(gateway);
    const proxy = await startStoreProxy(gateway.endpoint, {
      onRequest: ({ path, headers }) => {
        seen.push({ host: headers.host ?? '', isInPath: path.startsWith(`/${bucket}`) });
      },
    });
    onTestFinished(() => proxy.close());
    const host = `${GATEWAY_NAME}:${new URL(proxy.endpoint).port}`;
    const env = {
      CBR_REPO: `s3:http://${host}/${bucket}/r?style=${style}`,
      NODE_OPTIONS: `--require=${NAMES}`,
      ...credentials(gateway.owner),
    };
    writeFileSync(join(its.source, 'file'), 'content');
    for (const args of [
      ['init', '--no-encryption'],
      ['snapshot', its.source],
      ['check', '--read-data'],
    ]) {
      expect(await its.run(args, { env }), args[0]).toMatchObject({ code: 0, stderr: '' });
    }
    const isVirtual = style === 'virtual';
    expect(seen.length).toBeGreaterThan(20);
    for (const each of seen) {
      expect(each).toEqual({ host: isVirtual ? `${bucket}.${host}` : host, isInPath: !isVirtual });
    }
  },
  120_000,
);
