import type { ChildProcess } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { CBR, type Ended, runChild } from '../cli/child.js';
import { credentials, gateway } from './s3-subject.js';
import { StoreScratch } from './store-scratch.js';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly during?: (child: ChildProcess) => void;
}

/** The built program as child processes, over one repository in the gateway. */
export class StoreProgram extends StoreScratch {
  /** Runs `cbr` to its end. */
  run(args: readonly string[], { env = {}, during }: RunOptions = {}): Promise<Ended> {
    return runChild([process.execPath, CBR, ...args], {
      cwd: this.root,
      env: {
        PATH: process.env.PATH,
        HOME: this.root,
        TZ: 'UTC',
        CBR_REPO: this.location,
        CBR_CACHE_DIR: this.cache,
        CBR_PASSWORD: 'secret',
        ...credentials(gateway.owner),
        ...env,
      },
      during,
    });
  }

  /** Runs `cbr` and rejects unless it exits with 0. */
  async succeed(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const ended = await this.run(args, options);
    if (ended.code !== 0) throw new Error(`cbr ${args.join(' ')}: ${JSON.stringify(ended)}`);
    return ended;
  }
}

/** A scratch folder, removed when the test is over, for a repository that is not made yet. */
export function storeProgram(location: string): StoreProgram {
  const made = new StoreProgram(location);
  onTestFinished(() => made.remove());
  return made;
}
