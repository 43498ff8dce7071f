import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { place } from '../cli/run.js';
import { newBucket } from '../servers/store-servers.mjs';
import { makeCertificates, startTlsFront } from '../servers/tls-front.mjs';
import { credentials, gateway } from './s3-subject.js';

test('a store whose certificate is from an authority of our own is trusted when told so, and only then', async () => {
  const its = place();
  const { authority, ...server } = await makeCertificates(its.root);
  const front = await startTlsFront(gateway.endpoint, server);
  onTestFinished(() => front.close());
  const repo = `s3:${front.endpoint}/${await newBucket(gateway)}/r`;
  const env = { CBR_REPO: repo, CBR_PASSWORD: 'secret', ...credentials(gateway.owner) };
  const run = (args: string[], more: Record<string, string> = {}) =>
    its.run(args, { env: { ...env, ...more } });

  const begun = performance.now();
  const refused = await run(['init', '--no-encryption']);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('the certificate of the store is not trusted');
  expect(refused.stderr).toContain('name its certificate with --ca-file');
  // It is told at once: nothing is tried again.
  expect(performance.now() - begun).toBeLessThan(9000);

  expect(await run(['init', '--no-encryption', '--ca-file', authority])).toMatchObject({ code: 0 });
  writeFileSync(join(its.source, 'file'), 'content');
  expect(await run(['snapshot', its.source], { CBR_CA_FILE: authority })).toMatchObject({
    code: 0,
    stderr: '',
  });
  const location = `${repo}?ca-file=${encodeURIComponent(authority)}`;
  expect(await run(['check'], { CBR_REPO: location })).toMatchObject({ code: 0 });

  // Another's certificate does not help, and what is none is told.
  expect((await run(['snapshots', '--ca-file', server.certificate])).code).toBe(1);
  const noCertificate = await run(['snapshots', '--ca-file', server.key]);
  expect(noCertificate.code).toBe(2);
  expect(noCertificate.stderr).toContain(`${server.key} holds no certificate`);
}, 120_000);
