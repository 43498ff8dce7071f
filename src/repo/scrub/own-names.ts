import type { ObjectKind } from '../../backends/index.js';

/** What cbr calls its objects, by kind (docs/format.md, "Objects"). */

const NUMBER = '[1-9][0-9]{0,14}';
const SMALL = '[1-9][0-9]{0,8}';
const ID = '[0-9a-f]{32}';
const DIGEST = '[0-9a-f]{64}';

const NAMES: Readonly<Record<ObjectKind, RegExp>> = Object.freeze({
  config: new RegExp(`^${SMALL}$`),
  keys: new RegExp(`^${ID}$`),
  snapshots: new RegExp(`^${ID}$`),
  forgotten: new RegExp(`^${ID}$`),
  index: new RegExp(`^${DIGEST}$`),
  packs: new RegExp(`^${DIGEST}$`),
  sessions: new RegExp(`^${ID}/(0|${NUMBER})$`),
  marks: new RegExp(`^${NUMBER}$`),
  leases: new RegExp(`^(prune/${SMALL}|prune-alive/${SMALL}\\.${NUMBER})$`),
  notes: new RegExp(`^${ID}/${NUMBER}$`),
  policies: new RegExp(`^${NUMBER}$`),
  catalog: new RegExp(`^${NUMBER}$`),
  parity: new RegExp(`^(mirror-${NUMBER}|probe-[0-9a-f]+)$`),
});

/** Whether cbr gives such names to objects of this kind; others are ignored wherever they are met. */
export function isOwnName(kind: ObjectKind, name: string): boolean {
  return NAMES[kind].test(name);
}
