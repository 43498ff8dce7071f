import { onTestFinished } from 'vitest';
import { operationOf } from '../servers/proxy-counts.mjs';
import { type StoreProxy, startStoreProxy } from '../servers/store-proxy.mjs';
import { gateway, prefixes } from './s3-subject.js';
import { type StoreProgram, storeProgram } from './store-program.js';

const locationOf = prefixes(gateway);

/** What the program asks of the store, in the order in which it arrives: `<operation> <what>`. */
export class SeenRequests {
  readonly its: StoreProgram;
  private seen: string[] = [];

  constructor(proxy: StoreProxy, location: string) {
    this.its = storeProgram(location);
    const root = new URL(location.slice('s3:'.length)).pathname;
    const [, bucket = '', prefix = ''] = root.split('/');
    proxy.settings.onRequest = ({ method, path }) => {
      const { pathname, searchParams } = new URL(path, 'http://store');
      const listed = searchParams.get('prefix');
      const what = (listed ?? pathname.slice(bucket.length + 2)).slice(prefix.length + 1);
      this.seen.push(`${operationOf(method, path)} ${what}`);
    };
  }

  /** Of one run of the program, which must succeed. */
  async of(...args: string[]): Promise<readonly string[]> {
    this.seen = [];
    await this.its.succeed(args);
    return this.seen;
  }
}

/** A repository to be made in the gateway, behind a proxy that writes down what passes. */
export async function seenRequests(name: string): Promise<SeenRequests> {
  const proxy = await startStoreProxy(gateway.endpoint);
  onTestFinished(() => proxy.close());
  return new SeenRequests(proxy, await locationOf(name, proxy.endpoint));
}

/** Those that ask for lists of objects, by the kind. */
export function listsAmong(seen: readonly string[]): string[] {
  return seen.flatMap((each) => /^ListObjectsV2 (.*)\/$/.exec(each)?.[1] ?? []);
}
