// @ts-check
/**
 * A proxy between a client and an S3 server: counts what passes, adds latency, and makes faults. It listens on the loopback
 * address and passes every request on with its Host header as it is, so that signatures hold.
 */
import { once } from 'node:events';
import { Agent, createServer as createHttpServer, request as httpRequest } from 'node:http';
import { createServer } from 'node:net';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { noCounts, operationOf } from './proxy-counts.mjs';
import { freePorts } from './server-group.mjs';

/**
 * @typedef {import('node:http').IncomingMessage} IncomingMessage
 * @typedef {import('node:http').ServerResponse} ServerResponse
 * @typedef {import('./proxy-faults.mjs').Fault} Fault
 * @typedef {import('./proxy-faults.mjs').FaultPlan} FaultPlan
 * @typedef {import('./proxy-faults.mjs').SeenRequest} SeenRequest
 * @typedef {{
 *   requestLatency: number,
 *   connectionLatency: number,
 *   faults: FaultPlan,
 *   withoutHeaders: readonly string[],
 *   clockShift: number,
 *   onRequest: (request: SeenRequest & {fault: Fault | undefined}) => void,
 * }} ProxySettings  Milliseconds; names of request headers in lower case that the store does not get to see; how far ahead the
 *   store's clock (the Date header) shall be; who is told of each request. They can be changed at any time.
 */

/** How long nobody can connect after a fault of kind `refused`. */
const REFUSED_MS = 60;

/** How long an idle connection to the store is kept: less than stores keep theirs, so that none is used that just ended. */
const IDLE_MS = 3_000;

/** Headers that concern one connection only. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'expect', 'proxy-connection']);

/**
 * @param {string} target where the server listens: `http://host:port`
 * @param {Partial<ProxySettings>} [settings]
 */
export async function startStoreProxy(target, settings = {}) {
  const [port = 0] = await freePorts(1);
  const proxy = new StoreProxy(new URL(target), port, settings);
  await proxy.comeBack();
  return proxy;
}

export class StoreProxy {
  #target;
  #port;
  #counts = noCounts();
  #numbered = 0;
  #down = true;
  #agent = new Agent({ keepAlive: true, timeout: IDLE_MS });
  #http = createHttpServer();
  /** @type {import('node:net').Server | undefined} */
  #listener;
  /** @type {Set<import('node:net').Socket>} */
  #sockets = new Set();

  /**
   * @param {URL} target
   * @param {number} port
   * @param {Partial<ProxySettings>} settings
   */
  constructor(target, port, settings) {
    this.#target = target;
    this.#port = port;
    /** @type {ProxySettings} */
    this.settings = {
      requestLatency: 0,
      connectionLatency: 0,
      faults: () => undefined,
      withoutHeaders: [],
      clockShift: 0,
      onRequest: () => {},
      ...settings,
    };
    this.endpoint = `http://127.0.0.1:${port}`;
    // A client may be silent as long as it likes: time limits are what is tested.
    Object.assign(this.#http, { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
    this.#http.on('request', (request, response) => {
      this.#serve(request, response).catch(() => reset(request));
    });
  }

  /** What passed since the start or the last reset. */
  get counts() {
    return structuredClone(this.#counts);
  }

  resetCounts() {
    this.#counts = noCounts();
  }

  /** Cuts all connections; from now on every further one is refused. */
  async goDown() {
    this.#down = true;
    const closed = this.#stopListening();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  async comeBack() {
    this.#down = false;
    await this.#listen();
  }

  async close() {
    await this.goDown();
    this.#http.close();
    this.#agent.destroy();
  }

  async #listen() {
    if (this.#listener !== undefined) return;
    const listener = createServer((socket) => this.#connected(socket));
    this.#listener = listener;
    listener.listen(this.#port, '127.0.0.1');
    await once(listener, 'listening');
  }

  async #stopListening() {
    const listener = this.#listener;
    this.#listener = undefined;
    // Its callback would wait for the connections, which go on.
    listener?.close();
  }

  async #refuseForAMoment() {
    await this.#stopListening();
    await sleep(REFUSED_MS);
    if (!this.#down) await this.#listen();
  }

  /** @param {import('node:net').Socket} socket */
  async #connected(socket) {
    this.#counts.connections++;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {});
    socket.setNoDelay(true);
    if (this.settings.connectionLatency > 0) await sleep(this.settings.connectionLatency);
    if (!socket.destroyed) this.#http.emit('connection', socket);
  }

  /**
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   */
  async #serve(request, response) {
    const { method = 'GET', url: path = '/', headers } = request;
    const seen = { number: ++this.#numbered, operation: operationOf(method, path), method, path, headers };
    const fault = this.settings.faults(seen);
    const counted = this.#count(seen, fault);
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('data', (bytes) => {
      counted.bytesUp += bytes.length;
      this.#counts.bytesUp += bytes.length;
    });
    request.pause();
    if (this.settings.requestLatency > 0) await sleep(this.settings.requestLatency);

    const at = fault?.at ?? 0.5;
    switch (fault?.kind) {
      case 'refused':
        reset(request);
        return this.#refuseForAMoment();
      case 'reset-before':
        return reset(request);
      case 'reset-request':
        return this.#breakRequest(request, at);
      case 'silence':
        request.resume();
        return;
      case 'error-500':
        return refuse(
          request,
          response,
          500,
          'InternalError',
          'We encountered an internal error. Please try again.',
        );
      case 'slow-down':
        return refuse(request, response, 503, 'SlowDown', 'Please reduce your request rate.');
      case 'duplicated':
        return this.#sendTwice(request, response, counted);
    }
    const answer = await this.#forward(request, response, request);
    const down = (/** @type {Uint8Array} */ bytes) => {
      counted.bytesDown += bytes.length;
      this.#counts.bytesDown += bytes.length;
    };
    if (fault === undefined) return this.#pass(answer, response, down);
    const body = await bytesOf(answer);
    const isHead = method === 'HEAD';
    if (fault.kind === 'lost-answer' || ((isHead || body.length === 0) && fault.kind !== 'corrupted')) {
      return reset(request);
    }
    this.#writeHead(answer, response);
    const place = Math.floor(body.length * at);
    if (fault.kind === 'corrupted') {
      if (body.length > 0) body[place] = (body[place] ?? 0) ^ 1;
      down(body);
      response.end(body);
      return;
    }
    const part = body.subarray(0, place);
    down(part);
    // The head must be on its way even when no byte of the body is.
    response.flushHeaders();
    if (part.length > 0) await new Promise((resolve) => response.write(part, resolve));
    if (fault.kind === 'truncated') request.socket.end();
    else reset(request);
  }

  /**
   * @param {SeenRequest} seen
   * @param {Fault | undefined} fault
   */
  #count(seen, fault) {
    const counts = this.#counts;
    counts.requests++;
    counts.methods[seen.method] = (counts.methods[seen.method] ?? 0) + 1;
    if (fault !== undefined) counts.faults[fault.kind] = (counts.faults[fault.kind] ?? 0) + 1;
    const counted = counts.operations[seen.operation] ?? { requests: 0, bytesUp: 0, bytesDown: 0 };
    counts.operations[seen.operation] = counted;
    counted.requests++;
    this.settings.onRequest({ ...seen, fault });
    return counted;
  }

  /**
   * Sends a request to the store.
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   * @param {IncomingMessage | Uint8Array} body
   * @returns {Promise<IncomingMessage>} the answer
   */
  #forward(request, response, body) {
    const outgoing = this.#open(request);
    const answered = new Promise((resolve, reject) => {
      outgoing.on('response', resolve).on('error', reject);
      // A client that leaves takes its request with it.
      response.once('close', () => {
        if (!response.writableFinished) outgoing.destroy();
      });
    });
    if (body instanceof Uint8Array) outgoing.end(body);
    else body.pipe(outgoing);
    return answered;
  }

  /** @param {IncomingMessage} request */
  #open(request) {
    const dropped = new Set([...HOP_BY_HOP, ...this.settings.withoutHeaders]);
    return httpRequest({
      agent: this.#agent,
      host: this.#target.hostname,
      port: this.#target.port,
      method: request.method,
      path: request.url,
      headers: headersWithout(request.rawHeaders, dropped),
      setHost: false,
    });
  }

  /**
   * @param {IncomingMessage} answer
   * @param {ServerResponse} response
   * @param {(bytes: Uint8Array) => void} count
   */
  async #pass(answer, response, count) {
    this.#writeHead(answer, response);
    answer.on('data', count);
    answer.pipe(response);
    await finished(answer);
  }

  /**
   * @param {IncomingMessage} answer
   * @param {ServerResponse} response
   */
  #writeHead(answer, response) {
    response.sendDate = false;
    const headers = headersWithout(answer.rawHeaders, HOP_BY_HOP);
    const date = Date.parse(answer.headers.date ?? '') + this.settings.clockShift;
    if (this.settings.clockShift !== 0 && !Number.isNaN(date)) {
      for (let i = 0; i < headers.length; i += 2) {
        if (headers[i]?.toLowerCase() === 'date') headers[i + 1] = new Date(date).toUTCString();
      }
    }
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers);
  }

  /**
   * Passes on a part of the body, then cuts both sides. Without a body nothing is passed on.
   * @param {IncomingMessage} request
   * @param {number} at
   */
  async #breakRequest(request, at) {
    const length = Number(request.headers['content-length'] ?? 0);
    let left = Math.floor(length * at);
    if (left > 0) {
      const outgoing = this.#open(request);
      outgoing.on('error', () => {});
      for await (const bytes of request.iterator({ destroyOnReturn: false })) {
        const part = bytes.subarray(0, left);
        await new Promise((resolve) => outgoing.write(part, resolve));
        left -= bytes.length;
        if (left <= 0) break;
      }
      outgoing.destroy();
    }
    reset(request);
  }

  /**
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   * @param {import('./proxy-counts.mjs').OperationCounts} counted
   */
  async #sendTwice(request, response, counted) {
    const body = await bytesOf(request);
    (await this.#forward(request, response, body)).resume();
    await this.#pass(await this.#forward(request, response, body), response, (bytes) => {
      counted.bytesDown += bytes.length;
      this.#counts.bytesDown += bytes.length;
    });
  }
}

/** @param {IncomingMessage} request */
function reset(request) {
  request.socket.resetAndDestroy();
}

/**
 * Answers in the store's place.
 * @param {IncomingMessage} request
 * @param {ServerResponse} response
 * @param {number} status
 * @param {string} code
 * @param {string} message
 */
async function refuse(request, response, status, code, message) {
  // Read to its end, so that the client is there to hear the answer.
  for await (const _ of request);
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** @param {IncomingMessage} message */
async function bytesOf(message) {
  const parts = [];
  for await (const part of message) parts.push(part);
  return Buffer.concat(parts);
}

/**
 * @param {readonly string[]} raw names and values in turn, as they came
 * @param {ReadonlySet<string>} names in lower case
 */
function headersWithout(raw, names) {
  /** @type {string[]} */
  const kept = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (!names.has((raw[i] ?? '').toLowerCase())) kept.push(raw[i] ?? '', raw[i + 1] ?? '');
  }
  return kept;
}
