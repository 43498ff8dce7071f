// @ts-check
/** The processes and the temporary folder of a server; both are gone when it is stopped. */
import { execFile, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Below the ports that the system gives to outgoing connections, so that none is taken before its server listens. */
const PORTS = { first: 15_000, count: 15_000 };

/** How much of a log is shown when a server does not start. */
const LOG_LINES = 15;

export class ServerGroup {
  /** @type {import('node:child_process').ChildProcess[]} */
  #children = [];
  #stopped = false;

  /** @param {string} name */
  constructor(name) {
    this.folder = mkdtempSync(join(tmpdir(), `cbr-${name}-`));
  }

  /**
   * Starts a program that stays in the foreground. It dies with this process, however that ends.
   * @param {string} name of its log
   * @param {string} file
   * @param {readonly string[]} args
   * @param {Readonly<Record<string, string>>} [env] added to this process's
   */
  start(name, file, args, env = {}) {
    const log = this.#log(name);
    const descriptor = openSync(log, 'a');
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', file, ...args], {
      cwd: this.folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', descriptor, descriptor],
    });
    closeSync(descriptor);
    // An error to start shows in the exit code too, which is what `untilListening` looks at.
    child.on('error', () => {});
    this.#children.push(child);
    return child;
  }

  /**
   * Runs a program to its end.
   * @param {string} file
   * @param {...string} args
   * @returns {Promise<string>} what it wrote to standard output
   */
  run(file, ...args) {
    return new Promise((resolve, reject) => {
      const options = { cwd: this.folder, timeout: 60_000, killSignal: /** @type {const} */ ('SIGKILL') };
      execFile(file, args, options, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${file} ${args.join(' ')}: ${stderr.trim() || error.message}`));
      });
    });
  }

  /**
   * Waits until the server accepts connections; rejects when it ends before, or takes longer than a minute.
   * @param {string} name of its log
   * @param {import('node:child_process').ChildProcess} child
   * @param {number} port
   */
  async untilListening(name, child, port) {
    for (const end = performance.now() + 60_000; performance.now() < end; await sleep(50)) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) break;
      if (await accepts(port)) return;
    }
    const said = readFileSync(this.#log(name), 'utf8').trimEnd().split('\n').slice(-LOG_LINES).join('\n');
    throw new Error(`${name} does not listen on port ${port}. It said:\n${said}`);
  }

  /** Ends all its processes at once, without waiting for what they still want to write, and removes the folder. */
  async stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      }),
    );
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** @param {string} name */
  #log(name) {
    return join(this.folder, `${name}.out`);
  }
}

/**
 * Ports on which nobody listens on the loopback address.
 * @param {number} count
 */
export async function freePorts(count) {
  /** @type {Set<number>} */
  const ports = new Set();
  while (ports.size < count) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

/** @param {number} port @returns {Promise<boolean>} */
function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** @param {number} port @returns {Promise<boolean>} */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.destroy());
    socket.once('error', () => resolve(false));
    socket.once('close', (failed) => resolve(!failed));
  });
}
