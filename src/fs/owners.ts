import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { cString, type Native, native } from './native.js';

/**
 * Names and numbers of the users and groups of this machine. Each is looked up once: every question to a directory
 * service may take a network round trip. One object per thread and run.
 */
export class Owners {
  private readonly userNames = new Map<number, string | undefined>();
  private readonly groupNames = new Map<number, string | undefined>();
  private readonly uids = new Map<string, number | undefined>();
  private readonly gids = new Map<string, number | undefined>();
  private readonly accounts = accounts();

  /** undefined: this machine knows no such user. */
  userName(uid: number): string | undefined {
    return remember(this.userNames, uid, () => this.accounts.name('passwd', uid));
  }

  groupName(gid: number): string | undefined {
    return remember(this.groupNames, gid, () => this.accounts.name('group', gid));
  }

  uidOf(name: string): number | undefined {
    return remember(this.uids, name, () => this.accounts.number('passwd', name));
  }

  gidOf(name: string): number | undefined {
    return remember(this.gids, name, () => this.accounts.number('group', name));
  }
}

function remember<K, V>(known: Map<K, V>, key: K, look: () => V): V {
  if (known.has(key)) return known.get(key) as V;
  const value = look();
  known.set(key, value);
  return value;
}

type Register = 'passwd' | 'group';

interface Accounts {
  name(register: Register, id: number): string | undefined;
  number(register: Register, name: string): number | undefined;
}

function accounts(): Accounts {
  const calls = native();
  return calls === undefined ? new AccountFiles() : new AccountCalls(calls);
}

/** The C library, which asks every service configured in nsswitch.conf; the calls that are safe in threads. */
class AccountCalls implements Accounts {
  // struct passwd and struct group both begin with: char *name, char *password, u32 id
  private readonly record = Buffer.alloc(256);
  private readonly found = Buffer.alloc(8);
  private texts = Buffer.alloc(16 * 1024);

  constructor(private readonly calls: Native) {}

  name(register: Register, id: number): string | undefined {
    const call = register === 'passwd' ? this.calls.getpwuid_r : this.calls.getgrgid_r;
    const exists = this.look((texts) => call(id, this.record, texts, texts.length, this.found));
    return exists ? this.calls.textAt(this.record) : undefined;
  }

  number(register: Register, name: string): number | undefined {
    if (name === '' || name.includes('\0')) return undefined;
    const call = register === 'passwd' ? this.calls.getpwnam_r : this.calls.getgrnam_r;
    const wanted = cString(Buffer.from(name, 'utf8').toString('latin1'));
    const exists = this.look((texts) => call(wanted, this.record, texts, texts.length, this.found));
    return exists ? this.record.readUInt32LE(16) : undefined;
  }

  private look(call: (texts: Buffer) => number): boolean {
    for (;;) {
      this.found.fill(0);
      const errno = call(this.texts);
      // A group with very many members needs more room.
      if (errno === constants.errno.ERANGE && this.texts.length < 2 ** 24) {
        this.texts = Buffer.alloc(this.texts.length * 4);
      } else if (errno !== constants.errno.EINTR) {
        return errno === 0 && this.found.readBigUInt64LE() !== 0n;
      }
    }
  }
}

/** /etc/passwd and /etc/group, for machines without native calls. */
class AccountFiles implements Accounts {
  private readonly lines = {
    passwd: linesOf('/etc/passwd'),
    group: linesOf('/etc/group'),
  };

  name(register: Register, id: number): string | undefined {
    return this.lines[register].find((line) => line.id === id)?.name;
  }

  number(register: Register, name: string): number | undefined {
    return this.lines[register].find((line) => line.name === name)?.id;
  }
}

function linesOf(file: string): readonly { readonly name: string; readonly id: number }[] {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch {
    return []; // a machine without such a file knows no names
  }
  return content
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([name, , id]) => name !== undefined && /^\d+$/.test(id ?? ''))
    .map(([name, , id]) => ({ name: name!, id: Number(id) }));
}
