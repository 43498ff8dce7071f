import { fromLatin1 } from '../../core/index.js';
import type { EntryType } from '../../fs/index.js';
import type { ArchiveEntry, ArchiveWriter, FileContent } from './archive-writer.js';
import type { ByteSink } from './byte-sink.js';
import { paxRecords, rawOwner } from './pax-records.js';
import { TAR_BLOCK, TAR_LIMITS, type TarType, tarHeader, tarPadding } from './tar-header.js';

const TYPES: Readonly<Record<EntryType, TarType | undefined>> = {
  file: '0',
  symlink: '2',
  'character device': '3',
  'block device': '4',
  directory: '5',
  fifo: '6',
  socket: undefined,
};

/** Writes tar archives in the pax format: names of any bytes and length, sizes and times without limit, attributes. */
export class TarWriter implements ArchiveWriter {
  readonly hasHardLinks = true;

  constructor(private readonly sink: ByteSink) {}

  refusal({ entry: { type, device } }: ArchiveEntry): string | undefined {
    if (TYPES[type] === undefined) return `a tar archive cannot hold a ${type}`;
    const isTooLarge = Math.max(device?.major ?? 0, device?.minor ?? 0) > TAR_LIMITS.number;
    return isTooLarge ? 'a tar archive cannot hold its device number' : undefined;
  }

  async add(archived: ArchiveEntry, content: FileContent = new Uint8Array()): Promise<void> {
    const { path, entry, hardLink } = archived;
    const name = entry.type === 'directory' ? `${path}/` : path;
    const linkName = hardLink ?? entry.linkTarget ?? '';
    const size = hardLink === undefined ? (entry.size ?? 0) : 0;
    const records = paxRecords(archived, name, linkName, size);
    if (records !== '') await this.addRecords(entry.name, records);
    const header = tarHeader({
      name,
      type: hardLink === undefined ? TYPES[entry.type]! : '1',
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      size,
      mtime: entry.mtime.seconds,
      linkName,
      user: rawOwner(entry.user),
      group: rawOwner(entry.group),
      device: entry.device,
    });
    await this.sink.write(header);
    if (content instanceof Uint8Array) await this.sink.write(content);
    else for await (const bytes of content) await this.sink.write(bytes);
    await this.sink.write(tarPadding(size));
  }

  /** Two blocks of zeros. */
  async finish(): Promise<void> {
    await this.sink.write(new Uint8Array(2 * TAR_BLOCK));
  }

  /** A header of its own, whose name only readers see that know no pax headers. */
  private async addRecords(name: string, records: string): Promise<void> {
    const bytes = fromLatin1(records);
    const size = bytes.byteLength;
    const about = { mode: 0o644, uid: 0, gid: 0, mtime: 0, size };
    await this.sink.write(tarHeader({ name: `PaxHeaders/${name}`, type: 'x', ...about }));
    await this.sink.write(bytes);
    await this.sink.write(tarPadding(size));
  }
}
