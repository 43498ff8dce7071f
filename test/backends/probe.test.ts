import { describe, expect, test } from 'vitest';
import {
  type Backend,
  createLocalBackend,
  leftProbes,
  lookingFirst,
  MemoryBackend,
  type ProbeResult,
  probeBackend,
  probeFindings,
  withFaults,
  withRetry,
} from '../../dist/backends/index.js';
import { BackendError } from '../../dist/core/index.js';
import { conformance } from './conformance.js';
import { overwriting } from './overwriting.js';
import { rejection, scratchFolders } from './scratch.js';

conformance('memory, looking first', async () => lookingFirst(new MemoryBackend()));

const FINE: ProbeResult['verdicts'] = {
  'read-after-write': 'fine',
  'list-after-write': 'fine',
  'ranged-reads': 'fine',
  sizes: 'fine',
  'create-only': 'fine',
  removal: 'fine',
};

async function verdictsOf(backend: Backend): Promise<ProbeResult['verdicts']> {
  return (await probeBackend(backend)).verdicts;
}

/** `inner`, of which another machine clears all probes away before the calls of those numbers. */
function clearedAt(inner: Backend, isMoment: (call: number) => boolean): Backend {
  let calls = 0;
  const before = async (): Promise<void> => {
    if (isMoment(++calls)) await inner.removeMany('parity', await leftProbes(inner));
  };
  return {
    ...inner,
    removeMany: (...call) => inner.removeMany(...call),
    close: () => inner.close(),
    write: async (...call) => {
      await before();
      return inner.write(...call);
    },
    read: async (...call) => {
      await before();
      return inner.read(...call);
    },
    stat: async (...call) => {
      await before();
      return inner.stat(...call);
    },
    list: async function* (...call) {
      await before();
      yield* inner.list(...call);
    },
    remove: async (...call) => {
      await before();
      return inner.remove(...call);
    },
  };
}

/** How many calls an undisturbed probe makes. */
async function callsOf(inner: Backend): Promise<number> {
  let calls = 0;
  await probeBackend(
    clearedAt(inner, (call) => {
      calls = call;
      return false;
    }),
  );
  return calls;
}

const newFolder = scratchFolders();

describe('a probe', () => {
  test('finds nothing missing on the local disk and in memory, and leaves nothing', async () => {
    for (const backend of [new MemoryBackend(), await createLocalBackend(await newFolder())]) {
      expect(await verdictsOf(backend)).toEqual(FINE);
      expect(await leftProbes(backend)).toEqual([]);
    }
  });

  test('is not misled by answers that are lost', async () => {
    const lossy = withFaults(new MemoryBackend(), ({ number }) =>
      (Math.imul(number, 0x9e3779b1) >>> 8) % 5 === 0 ? { when: 'after' } : undefined,
    );
    const backend = withRetry(lossy, { attempts: 60, sleep: async () => {} });
    expect(await verdictsOf(backend)).toEqual(FINE);
  });

  test('recognises a store that overwrites silently', async () => {
    expect(await verdictsOf(overwriting(new MemoryBackend()))).toEqual({ ...FINE, 'create-only': 'missing' });
  });

  test('is not misled by another machine that clears left-over probes away', async () => {
    const undisturbed = await callsOf(new MemoryBackend());
    expect(undisturbed).toBeGreaterThan(15);
    for (let call = 1; call <= undisturbed; call++) {
      expect(await verdictsOf(clearedAt(new MemoryBackend(), (n) => n === call))).toEqual(FINE);
      const store = overwriting(new MemoryBackend());
      expect((await verdictsOf(clearedAt(store, (n) => n === call)))['create-only']).toBe('missing');
    }
  });

  test('says so when others always clear it away', async () => {
    const backend = clearedAt(new MemoryBackend(), (n) => n % 2 === 0);
    expect(await rejection(probeBackend(backend))).toMatchObject({
      message: expect.stringMatching(/could not be tried: .* removed by someone else/),
      hint: expect.stringMatching(/no cbr doctor --clean runs/),
    });
    expect(await leftProbes(backend)).toEqual([]);
  });

  test('recognises one that refuses a second write, but lets two at the same time pass', async () => {
    const backend = lookingFirst(overwriting(new MemoryBackend()));
    expect((await verdictsOf(backend))['create-only']).toBe('missing');
  });

  test('recognises one that refuses a second write, and takes it all the same', async () => {
    const store = overwriting(new MemoryBackend());
    const strict = new MemoryBackend();
    const backend: Backend = {
      ...store,
      write: async (...call) => {
        await store.write(...call);
        await strict.write(...call);
      },
    };
    expect((await verdictsOf(backend))['create-only']).toBe('missing');
  });

  test('tells a list that comes late, ranges that are ignored, and a key that may not remove', async () => {
    const inner = new MemoryBackend();
    const late: Backend = {
      ...overwriting(inner),
      list: async function* () {},
      read: (kind, name) => inner.read(kind, name),
      remove: async () => {
        throw new BackendError('access denied', false);
      },
      removeMany: async () => {
        throw new BackendError('access denied', false);
      },
    };
    const result = await probeBackend(late);
    expect(result.verdicts).toMatchObject({
      'list-after-write': 'missing',
      'ranged-reads': 'missing',
      removal: 'missing',
      sizes: 'fine',
    });
    expect(result.reasons.removal).toBe('access denied');
    expect(
      probeFindings(result)
        .filter(({ weight }) => weight === 'refused')
        .map(({ thing }) => thing),
    ).toEqual(['list-after-write', 'ranged-reads']);
  });

  test('fails where it cannot even write, and where the store is down', async () => {
    const down = withFaults(new MemoryBackend(), ({ number }) =>
      number > 3 ? { when: 'before' } : undefined,
    );
    expect(await rejection(probeBackend(down))).toMatchObject({ code: 'backend' });
    const refusing = withFaults(new MemoryBackend(), () => ({ when: 'before', stop: true }));
    expect(await rejection(probeBackend(refusing))).toMatchObject({ code: 'backend' });
  });

  test('says what the facts of a store mean', async () => {
    const facts = {
      clockSkewSeconds: -1200,
      versioning: 'on',
      objectLock: { state: 'on', mode: 'compliance', days: 30 },
      checksum: 'none',
    } as const;
    const backend = Object.assign(new MemoryBackend(), { examine: async () => facts });
    const findings = probeFindings(await probeBackend(backend));
    const warnings = findings.filter(({ weight }) => weight === 'warning');
    expect(warnings.map(({ thing }) => thing)).toEqual(['checksums', 'versioning', 'object-lock', 'clock']);
    expect(warnings.at(-1)?.means).toBe('The clock of this machine is 1200 s ahead of that of the store.');
  });
});
