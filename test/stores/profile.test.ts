import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { place } from '../cli/run.js';
import { startStoreProxy } from '../servers/store-proxy.mjs';
import { newBucket, type StoreKey } from '../servers/store-servers.mjs';
import { credentials, gateway } from './s3-subject.js';

const section = (name: string, { accessKeyId, secretAccessKey }: StoreKey): string =>
  `[${name}]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;

test('credentials and region are those of the profile that is named', async () => {
  const its = place();
  const wrong = { ...gateway.owner, secretAccessKey: 'guessed' };
  mkdirSync(join(its.home, '.aws'));
  writeFileSync(
    join(its.home, '.aws/credentials'),
    section('default', wrong) + section('guest', wrong) + section('owner', gateway.owner),
  );
  writeFileSync(
    join(its.home, '.aws/config'),
    '[default]\nregion = moon-1\n[profile guest]\nregion = moon-2\n[profile owner]\nregion = moon-3\n',
  );
  const regions = new Set<string | undefined>();
  const proxy = await startStoreProxy(gateway.endpoint, {
    onRequest: ({ headers }) => {
      regions.add(/Credential=[^/]+\/\d+\/([^/]+)\/s3\//.exec(headers.authorization ?? '')?.[1]);
    },
  });
  onTestFinished(() => proxy.close());
  const repo = `s3:${proxy.endpoint}/${await newBucket(gateway)}/r`;
  const init = async (query: string, env: Record<string, string> = {}) => {
    regions.clear();
    const run = await its.run(['init', '--no-encryption'], { env: { CBR_REPO: `${repo}${query}`, ...env } });
    return { ...run, regions: [...regions] };
  };
  const refused = await init('?profile=guest');
  expect(refused).toMatchObject({ code: 1, regions: ['moon-2'] });
  expect(refused.stderr).toContain('the store does not accept the secret key');
  const unknown = await init('?profile=nobody');
  expect(unknown).toMatchObject({ code: 1, regions: [] });
  expect(unknown.stderr).toContain('nobody');
  expect(unknown.stderr).toContain('~/.aws');
  // What is named for the location alone goes before what the environment says for all.
  const environment = { ...credentials(wrong), AWS_PROFILE: 'guest' };
  const made = await init('?profile=owner', environment);
  expect(made).toMatchObject({ code: 0, stderr: '', regions: ['moon-3'] });
  const repeated = await its.run(['snapshots'], {
    env: { CBR_REPO: `${repo}?region=moon-4`, CBR_PROFILE: 'owner' },
  });
  expect(repeated).toMatchObject({ code: 0, stderr: '' });
  expect([...regions].sort()).toEqual(['moon-3', 'moon-4']);
}, 120_000);
