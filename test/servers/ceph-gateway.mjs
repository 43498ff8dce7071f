// @ts-check
/** A RADOS Gateway on a Ceph cluster of one node that keeps everything in memory. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePorts } from './server-group.mjs';

const STORE_BYTES = 4 * 2 ** 30;
/** Buckets are named in front of it where they are not named in the path (test/servers/name-server.cjs). */
export const GATEWAY_NAME = 'gateway.test';
const CAPABILITIES = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *'];

/**
 * Starts it; ready when this resolves.
 * @param {import('./server-group.mjs').ServerGroup} group
 * @returns {Promise<import('./store-servers.mjs').StoreServer>}
 */
export async function runCephGateway(group) {
  const [port = 0, monitorPort = 0, oldMonitorPort = 0] = await freePorts(3);
  const monitor = `[v2:127.0.0.1:${monitorPort},v1:127.0.0.1:${oldMonitorPort}]`;
  const cluster = randomUUID();
  const at = (/** @type {string[]} */ ...parts) => join(group.folder, ...parts);
  for (const folder of ['mon/a', 'osd/0', 'run', 'log']) mkdirSync(at(folder), { recursive: true });
  const config = at('ceph.conf');
  writeFileSync(config, configuration(group.folder, cluster, monitor, port));

  await group.run('ceph-authtool', '-C', 'keyring');
  for (const name of ['mon.', 'client.admin', 'client.rgw', 'osd.0']) {
    await group.run('ceph-authtool', 'keyring', '--gen-key', '-n', name, ...CAPABILITIES);
  }
  await group.run('monmaptool', '--create', '--fsid', cluster, '--addv', 'a', monitor, 'monmap');
  const daemon = (/** @type {string[]} */ ...args) => ['-c', config, ...args];
  await group.run(
    'ceph-mon',
    ...daemon('-i', 'a', '--mkfs', '--monmap', at('monmap'), '--keyring', at('keyring')),
  );
  const mon = group.start('ceph-mon', 'ceph-mon', daemon('-f', '-i', 'a'));
  await group.untilListening('ceph-mon', mon, monitorPort);
  const disk = randomUUID();
  await group.run('ceph', ...daemon('osd', 'new', disk));
  await group.run('ceph-osd', ...daemon('-i', '0', '--mkfs', '--osd-uuid', disk));
  group.start('ceph-osd', 'ceph-osd', daemon('-f', '-i', '0'));
  const gateway = group.start('radosgw', 'radosgw', daemon('-f', '-n', 'client.rgw'));
  await group.untilListening('radosgw', gateway, port);

  const admin = ['radosgw-admin', ...daemon('-n', 'client.rgw')];
  const owner = { accessKeyId: 'OWNERKEY', secretAccessKey: 'owner-secret-key' };
  const [program = '', ...args] = admin;
  await group.run(
    program,
    ...args,
    ...['user', 'create', '--uid', 'owner', '--display-name', 'owner', '--max-buckets', '0'],
    ...['--access-key', owner.accessKeyId, '--secret-key', owner.secretAccessKey],
  );
  return {
    name: 'Ceph RADOS Gateway',
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    owner,
    admin,
  };
}

/**
 * @param {string} folder
 * @param {string} cluster
 * @param {string} monitor
 * @param {number} port
 */
function configuration(folder, cluster, monitor, port) {
  const classes = classFolder();
  const plugins = join(dirname(classes), 'ceph');
  return `[global]
fsid = ${cluster}
mon_host = ${monitor}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
auth_allow_insecure_global_id_reclaim = true
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 1
mon_data_avail_crit = 0
osd_objectstore = memstore
memstore_device_bytes = ${STORE_BYTES}
osd_class_dir = ${classes}
plugin_dir = ${plugins}
erasure_code_dir = ${plugins}/erasure-code
run_dir = ${folder}/run
pid_file = ${folder}/run/$name.pid
log_file = ${folder}/log/$name.log
admin_socket = ${folder}/run/$name.asok
keyring = ${folder}/keyring
[mon.a]
mon_data = ${folder}/mon/a
[osd.0]
osd_data = ${folder}/osd/0
[client.rgw]
rgw_data = ${folder}/run
rgw_frontends = beast endpoint=127.0.0.1:${port}
rgw_dns_name = ${GATEWAY_NAME}
rgw_lc_debug_interval = 10
rgw_gc_obj_min_wait = 5
`;
}

/** Where the package keeps the classes that its storage daemon loads: the folder depends on the processor. */
function classFolder() {
  const roots = ['/usr/lib', ...readdirSync('/usr/lib').map((name) => join('/usr/lib', name))];
  const found = roots
    .map((root) => join(root, 'rados-classes'))
    .find((folder) => existsSync(join(folder, 'libcls_rgw.so')));
  if (found === undefined) throw new Error('libcls_rgw.so is not installed (package ceph-osd)');
  return found;
}
