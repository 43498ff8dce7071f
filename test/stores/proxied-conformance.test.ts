import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { conformance } from '../backends/conformance.js';
import { FAULT_KINDS, randomFaults } from '../servers/proxy-faults.mjs';
import { type StoreProxy, startStoreProxy } from '../servers/store-proxy.mjs';
import { gateway, hastyBackend, prefixes, useOwner } from './s3-subject.js';

/** Those that answer with damaged bytes are for whoever has digests to notice by: the contract of a backend has none. */
const KINDS = FAULT_KINDS.filter((kind) => kind !== 'corrupted');
/** Each silence is waited out: few of them. */
const DRAWN = [...KINDS, ...KINDS.filter((kind) => kind !== 'silence')];

let proxy: StoreProxy;
beforeAll(async () => {
  proxy = await startStoreProxy(gateway.endpoint, { faults: randomFaults(1, { rate: 0.08, kinds: DRAWN }) });
});
afterAll(async () => {
  // Otherwise the faults were not what was judged.
  expect(Object.keys(proxy.counts.faults).sort()).toEqual([...KINDS].sort());
  await proxy.close();
});

const locationOf = prefixes(gateway);
conformance('gateway behind a line with faults', async (folder) => {
  useOwner(gateway);
  const location = await locationOf(folder, proxy.endpoint);
  return hastyBackend(location, join(folder, 'staged'));
});
