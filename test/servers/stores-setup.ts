import type { TestProject } from 'vitest/node';
import { type StoreServer, startCephGateway, startMoto } from './store-servers.mjs';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The gateway comes first: it is the one that behaves like a real store in everything. */
    stores: { gateway: StoreServer; moto: StoreServer };
  }
}

/** Starts the servers once for all tests of the project, and stops them at the end. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started = await Promise.allSettled([startCephGateway(), startMoto()]);
  const stop = async () => {
    for (const each of started) if (each.status === 'fulfilled') await each.value.stop();
  };
  const [gateway, moto] = started;
  if (gateway.status === 'rejected' || moto.status === 'rejected') {
    await stop();
    throw gateway.status === 'rejected' ? gateway.reason : (moto as PromiseRejectedResult).reason;
  }
  const { stop: _gateway, ...gatewayFacts } = gateway.value;
  const { stop: _moto, ...motoFacts } = moto.value;
  project.provide('stores', { gateway: gatewayFacts, moto: motoFacts });
  return stop;
}
