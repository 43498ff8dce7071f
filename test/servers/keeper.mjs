// @ts-check
/**
 * Runs one server: `keeper.mjs ceph-gateway|moto`. Prints what `StoreServer` holds as JSON when it is ready, and stops it
 * when standard input ends. The system closes that when the process which started this one is gone, however it ended; so a
 * server never outlives its tests.
 */
import { runCephGateway } from './ceph-gateway.mjs';
import { runMoto } from './moto.mjs';
import { ServerGroup } from './server-group.mjs';

const [kind = ''] = process.argv.slice(2);
const run = { 'ceph-gateway': runCephGateway, moto: runMoto }[kind];
if (run === undefined) throw new Error(`no such server: ${kind}`);

const group = new ServerGroup(kind);
const asked = new Promise((resolve) => {
  process.stdin.on('end', resolve).on('error', resolve).resume();
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, resolve);
});
const started = run(group).then((server) => {
  process.stdout.on('error', () => {});
  process.stdout.write(`${JSON.stringify(server)}\n`);
});
try {
  // A request to stop counts while the server is starting too.
  await Promise.race([started.then(() => asked), asked]);
} finally {
  await group.stop();
}
process.exit(0);
