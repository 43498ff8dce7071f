// @ts-check
/** TLS in front of a server that has none, with certificates that are made for the occasion. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { promisify } from 'node:util';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/**
 * @typedef {{authority: string, certificate: string, key: string}} Certificates  Files. The certificate is for 127.0.0.1, and
 *   signed by the authority, which nobody trusts who is not told to.
 */

/**
 * Makes them with `openssl`.
 * @param {string} folder
 * @returns {Promise<Certificates>}
 */
export async function makeCertificates(folder) {
  const at = (/** @type {string} */ name) => join(folder, name);
  const openssl = (/** @type {string[]} */ ...args) => promisify(execFile)('openssl', args, { cwd: folder });
  await openssl(
    ...['req', '-x509', ...NEW_KEY, '-keyout', 'authority.key', '-out', 'authority.pem'],
    ...['-days', '2', '-subj', '/CN=An authority of our own'],
  );
  await openssl(
    ...['req', '-x509', ...NEW_KEY, '-CA', 'authority.pem', '-CAkey', 'authority.key'],
    ...['-keyout', 'server.key', '-out', 'server.pem', '-days', '2', '-subj', '/CN=store'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE'],
  );
  return { authority: at('authority.pem'), certificate: at('server.pem'), key: at('server.key') };
}

/**
 * Listens on the loopback address, and passes on byte by byte what it deciphers: all headers stay as they are.
 * @param {string} target where the server listens: `http://host:port`
 * @param {Pick<Certificates, 'certificate' | 'key'>} certificates
 */
export async function startTlsFront(target, { certificate, key }) {
  const { hostname, port } = new URL(target);
  /** @type {Set<import('node:stream').Duplex>} */
  const open = new Set();
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (client) => {
    const store = connect(Number(port), hostname);
    for (const [socket, other] of /** @type {const} */ ([
      [client, store],
      [store, client],
    ])) {
      open.add(socket);
      socket.on('error', () => other.destroy()).on('close', () => open.delete(socket));
      socket.pipe(other);
    }
  });
  // A client that does not trust the certificate leaves in the middle of the greeting.
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    endpoint: `https://127.0.0.1:${address.port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
