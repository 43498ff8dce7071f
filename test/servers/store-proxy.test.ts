import { createServer, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { operationOf } from './proxy-counts.mjs';
import { FAULT_KINDS, type Fault, type FaultKind, randomFaults } from './proxy-faults.mjs';
import { type StoreProxy, startStoreProxy } from './store-proxy.mjs';

/** A store of objects in memory that answers PUT, GET and HEAD, and notes what it was asked. */
class TinyStore {
  readonly objects = new Map<string, Buffer>();
  readonly asked: { method: string; url: string; headers: IncomingHttpHeaders; whole: boolean }[] = [];
  endpoint = '';
  private readonly server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    const parts: Buffer[] = [];
    const whole = await (async () => {
      for await (const part of request) parts.push(part);
      return true;
    })().catch(() => false);
    this.asked.push({ method, url, headers, whole });
    if (!whole) return;
    if (method === 'PUT') {
      const taken = headers['if-none-match'] === '*' && this.objects.has(url);
      if (!taken) this.objects.set(url, Buffer.concat(parts));
      response.writeHead(taken ? 412 : 200).end();
      return;
    }
    const found = this.objects.get(url);
    response.writeHead(found === undefined ? 404 : 200, { 'content-length': found?.length ?? 0 });
    response.end(method === 'HEAD' ? undefined : found);
  });

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.endpoint = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

const BODY = Buffer.from('0123456789'.repeat(100));
let store: TinyStore;
let proxy: StoreProxy;

beforeEach(async () => {
  store = new TinyStore();
  await store.start();
  proxy = await startStoreProxy(store.endpoint);
  return async () => {
    await proxy.close();
    store.stop();
  };
});

function put(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(proxy.endpoint + path, { method: 'PUT', body: BODY, headers });
}

async function get(path: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(proxy.endpoint + path)).arrayBuffer());
}

/** The next request meets this fault, those after it none. */
function once(kind: FaultKind, at?: number): void {
  let fault: Fault | undefined = at === undefined ? { kind } : { kind, at };
  proxy.settings.faults = () => {
    const next = fault;
    fault = undefined;
    return next;
  };
}

async function fails(promise: Promise<unknown>): Promise<void> {
  await expect(promise).rejects.toThrow();
}

describe('without faults', () => {
  test('passes requests and answers on as they are', async () => {
    expect((await put('/bucket/packs/a%20b?x=1', { 'x-amz-date': 'now' })).status).toBe(200);
    expect(store.asked[0]).toMatchObject({ method: 'PUT', url: '/bucket/packs/a%20b?x=1', whole: true });
    expect(store.asked[0]?.headers).toMatchObject({
      host: proxy.endpoint.slice('http://'.length),
      'x-amz-date': 'now',
      'content-length': '1000',
    });
    expect(BODY.equals(await get('/bucket/packs/a%20b?x=1'))).toBe(true);
    expect((await fetch(`${proxy.endpoint}/bucket/absent`)).status).toBe(404);
    const head = await fetch(`${proxy.endpoint}/bucket/packs/a%20b?x=1`, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe('1000');
  });

  test('counts requests and bytes by operation', async () => {
    await put('/bucket/a');
    await get('/bucket/a');
    await get('/bucket/a');
    const { connections, ...counts } = proxy.counts;
    expect(counts).toEqual({
      requests: 3,
      bytesUp: 1000,
      bytesDown: 2000,
      methods: { PUT: 1, GET: 2 },
      operations: {
        PutObject: { requests: 1, bytesUp: 1000, bytesDown: 0 },
        GetObject: { requests: 2, bytesUp: 0, bytesDown: 2000 },
      },
      faults: {},
    });
    expect(connections).toBeGreaterThan(0);
    proxy.resetCounts();
    expect(proxy.counts).toMatchObject({ requests: 0, bytesUp: 0, operations: {} });
  });

  test('knows the operations', () => {
    const known: [string, string, string][] = [
      ['GET', '/b?list-type=2&prefix=packs%2F', 'ListObjectsV2'],
      ['GET', '/b/?list-type=2', 'ListObjectsV2'],
      ['GET', '/b/k/l', 'GetObject'],
      ['GET', '/', 'ListBuckets'],
      ['HEAD', '/b', 'HeadBucket'],
      ['HEAD', '/b/k', 'HeadObject'],
      ['PUT', '/b', 'CreateBucket'],
      ['PUT', '/b/k?x-id=PutObject', 'PutObject'],
      ['PUT', '/b/k?partNumber=1&uploadId=2', 'UploadPart'],
      ['POST', '/b/k?uploads', 'CreateMultipartUpload'],
      ['POST', '/b/k?uploadId=2', 'CompleteMultipartUpload'],
      ['DELETE', '/b/k?uploadId=2', 'AbortMultipartUpload'],
      ['POST', '/b?delete', 'DeleteObjects'],
      ['DELETE', '/b/k', 'DeleteObject'],
      ['GET', '/b?object-lock', 'GetObjectLockConfiguration'],
      ['PATCH', '/b/k', 'PATCH'],
    ];
    for (const [method, path, name] of known) expect(operationOf(method, path), path).toBe(name);
  });

  test('adds latency to requests and to connections', async () => {
    proxy.settings.requestLatency = 60;
    const start = performance.now();
    await get('/bucket/a');
    const alone = performance.now() - start;
    expect(alone).toBeGreaterThanOrEqual(59);
    proxy.settings.connectionLatency = 80;
    const { hostname, port } = new URL(proxy.endpoint);
    const begun = performance.now();
    const socket = connect(Number(port), hostname);
    socket.write('GET /bucket/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await new Promise((resolve) => socket.on('data', () => {}).on('close', resolve));
    expect(performance.now() - begun).toBeGreaterThanOrEqual(139);
  });

  test('keeps a header from the store', async () => {
    proxy.settings.withoutHeaders = ['if-none-match'];
    for (const _ of [1, 2]) expect((await put('/bucket/a', { 'If-None-Match': '*' })).status).toBe(200);
    proxy.settings.withoutHeaders = [];
    expect((await put('/bucket/a', { 'If-None-Match': '*' })).status).toBe(412);
  });

  test("shifts the store's clock", async () => {
    proxy.settings.clockShift = 3_600_000;
    const date = Date.parse((await fetch(`${proxy.endpoint}/bucket/a`)).headers.get('date') ?? '');
    expect(Math.abs(date - Date.now() - 3_600_000)).toBeLessThan(60_000);
  });

  test('goes down and comes back at the same place', async () => {
    await put('/bucket/a');
    await proxy.goDown();
    await expect(get('/bucket/a')).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    await proxy.comeBack();
    expect(BODY.equals(await get('/bucket/a'))).toBe(true);
  });
});

describe('faults', () => {
  test('refused: cut, and for a moment nobody connects', async () => {
    once('refused');
    await fails(put('/bucket/a'));
    const { hostname, port } = new URL(proxy.endpoint);
    const socket = connect(Number(port), hostname);
    expect(await new Promise((resolve) => socket.on('error', resolve))).toMatchObject({
      code: 'ECONNREFUSED',
    });
    while (!(await put('/bucket/a').catch(() => undefined))) await sleep(10);
    expect(store.asked).toHaveLength(1);
  });

  test.each(['reset-before', 'reset-request'] as const)('%s: nothing is stored', async (kind) => {
    once(kind);
    await fails(put('/bucket/a'));
    await put('/bucket/b');
    expect([...store.objects.keys()]).toEqual(['/bucket/b']);
    expect(store.asked.filter(({ whole }) => !whole)).toHaveLength(kind === 'reset-request' ? 1 : 0);
    expect(proxy.counts.faults).toEqual({ [kind]: 1 });
  });

  test('lost-answer: the store did it', async () => {
    once('lost-answer');
    await fails(put('/bucket/a'));
    expect(store.objects.get('/bucket/a')?.equals(BODY)).toBe(true);
  });

  test.each(['reset-response', 'truncated'] as const)('%s: the body does not end', async (kind) => {
    await put('/bucket/a');
    for (const at of [0, 0.5, 0.999]) {
      once(kind, at);
      await fails(get('/bucket/a'));
    }
    expect(BODY.equals(await get('/bucket/a'))).toBe(true);
  });

  test('corrupted: one bit is another', async () => {
    await put('/bucket/a');
    once('corrupted', 0.25);
    const changed = Buffer.from(BODY);
    changed[250]! ^= 1;
    expect(changed.equals(await get('/bucket/a'))).toBe(true);
  });

  test.each([
    ['error-500', 500, 'InternalError'],
    ['slow-down', 503, 'SlowDown'],
  ] as const)('%s: an error as stores write it', async (kind, status, code) => {
    once(kind);
    const answer = await put('/bucket/a');
    expect(answer.status).toBe(status);
    expect(await answer.text()).toContain(`<Code>${code}</Code>`);
    expect(store.asked).toHaveLength(0);
  });

  test('silence: no answer until the client leaves', async () => {
    once('silence');
    const signal = AbortSignal.timeout(100);
    await fails(fetch(`${proxy.endpoint}/bucket/a`, { method: 'PUT', body: BODY, signal }));
    expect(signal.aborted).toBe(true);
    expect(store.asked).toHaveLength(0);
  });

  test('duplicated: the client hears the second answer', async () => {
    once('duplicated');
    expect((await put('/bucket/a', { 'If-None-Match': '*' })).status).toBe(412);
    expect(store.asked).toHaveLength(2);
    expect(store.objects.get('/bucket/a')?.equals(BODY)).toBe(true);
  });

  test('chosen at random: the same for the same seed, of all kinds, no more than the limit', () => {
    const chosen = (seed: number, limit: number) => {
      const plan = randomFaults(seed, { rate: 0.5, limit });
      return Array.from({ length: 2000 }, (_, i) =>
        plan({
          number: i + 1,
          operation: i % 2 === 0 ? 'GetObject' : 'PutObject',
          method: 'GET',
          path: '/',
          headers: {},
        }),
      );
    };
    const some = chosen(1, 500);
    expect(chosen(1, 500)).toEqual(some);
    expect(chosen(2, 500)).not.toEqual(some);
    const made = some.filter((fault) => fault !== undefined);
    expect(made).toHaveLength(500);
    expect(new Set(made.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS));
    expect(some.every((fault, i) => fault?.kind !== 'corrupted' || i % 2 === 0)).toBe(true);
  });
});
