import { hostname } from 'node:os';
import type { Command } from 'commander';
import {
  type ProbeResult,
  parseLocation,
  probeBackend,
  probeFindings,
  removeStaleTemporaries,
  withTrialFolder,
} from '../../backends/index.js';
import { BackendError, CbrError, messageOf, ownIdentity } from '../../core/index.js';
import {
  endDeadSessions,
  leftOver,
  listCaches,
  loadAlgorithms,
  noteStore,
  openRepository,
  openStore,
  type Repository,
  requireRemoval,
  waitingMsOf,
  waitingSecondsOf,
} from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import {
  cacheFindings,
  type DoctorFinding,
  leftOverFindings,
  storeFinding,
  unheardFinding,
} from '../doctor-findings.js';
import { EXIT } from '../exit-codes.js';
import { closingAfter, openOptions, requireLocation } from '../repository.js';
import { parseWaitingPeriod, periodText } from '../waiting-period.js';

interface Flags {
  readonly clean?: boolean;
  readonly waitingPeriod?: number;
  readonly endWaiting?: boolean;
}

export const doctor: CommandModule = {
  configure(command: Command): void {
    command
      .option('--clean', 'end the sessions of this machine that were killed, and remove what is left over')
      .option(
        '--waiting-period <duration>',
        'on a store that overwrites silently, how long a prune waits from now on: 1h or more',
        parseWaitingPeriod,
      )
      .option('--end-waiting', 'the store writes a name once now, from every machine that uses it')
      .addHelpText(
        'after',
        `
Tries the store with a few small objects, which it removes again, and looks at the repository, where there is one, and at the
caches of this machine. What the store turns out to do is kept in the config of the repository. Exit code 4: something is
wrong that has to be mended.

Examples:
  $ cbr doctor -r /media/backup/cbr
  $ cbr doctor -r s3:https://s3.example.org/bucket/prefix    # also before there is a repository`,
      );
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    const findings: DoctorFinding[] = [];
    const probe = await probed(context, findings);
    const about = await examined(context, flags, probe, findings);
    findings.push(...(await ofMachine(context)));
    for (const finding of findings) say(context, finding);
    const count = (severity: DoctorFinding['severity']): number =>
      findings.filter((each) => each.severity === severity).length;
    const [errors, warnings] = [count('error'), count('warning')];
    const { output } = context;
    if (errors + warnings === 0) output.line('Nothing is wrong.');
    return {
      exitCode: errors > 0 ? EXIT.damage : EXIT.done,
      summary: {
        location: parseLocation(requireLocation(context)).text,
        ...about,
        findings: { errors, warnings },
      },
    };
  },
};

const MARKS: Readonly<Record<DoctorFinding['severity'], string>> = {
  error: 'WRONG',
  warning: 'look',
  note: 'fine',
};

function say({ output }: CommandContext, finding: DoctorFinding): void {
  const { text, hint, severity, state } = finding;
  const mark = severity === 'note' && state === 'unknown' ? '?' : MARKS[severity];
  const fields = { about: finding.about, thing: finding.thing, severity, state, message: text, hint };
  output.item(fields, () => `${mark.padEnd(5)}  ${text}${hint === undefined ? '' : `\n       ${hint}`}`);
}

/** Tries the store itself; undefined where it could not be tried. */
async function probed(context: CommandContext, findings: DoctorFinding[]): Promise<ProbeResult | undefined> {
  const { signal } = context;
  const location = parseLocation(requireLocation(context));
  try {
    const result = await tryStore(context, location);
    if (result !== undefined) findings.push(...probeFindings(result).map(storeFinding));
    else findings.push(readOnlyFinding('It is mounted read-only, or this user may not write to it.'));
    return result;
  } catch (error) {
    signal.throwIfAborted();
    // What cannot be reached cannot be told anything about.
    if (!(error instanceof BackendError) || error.retryable) throw error;
    findings.push(readOnlyFinding(messageOf(error)));
    return undefined;
  }
}

function readOnlyFinding(reason: string): DoctorFinding {
  return {
    about: 'store',
    thing: 'writing',
    severity: 'error',
    state: 'missing',
    text: `Nothing can be written, so the store was not tried: ${reason}`,
    hint: 'Reading and restoring may work all the same. For snapshots it must be possible to write.',
  };
}

async function tryStore(
  context: CommandContext,
  location: ReturnType<typeof parseLocation>,
): Promise<ProbeResult | undefined> {
  const { signal } = context;
  let backend: Awaited<ReturnType<typeof openStore>>;
  try {
    backend = await openStore(openOptions(context, 'open'));
  } catch (error) {
    const isAbsent = error instanceof CbrError && error.code === 'no-repository';
    if (!isAbsent || location.kind !== 'local') throw error;
    return withTrialFolder(location.path, (medium) => probeBackend(medium, { signal }));
  }
  try {
    return backend.capabilities.writable ? await probeBackend(backend, { signal }) : undefined;
  } finally {
    await backend.close();
  }
}

/** Looks at the repository, where there is one, and has its config say what the store does. */
async function examined(
  context: CommandContext,
  flags: Flags,
  probe: ProbeResult | undefined,
  findings: DoctorFinding[],
): Promise<Readonly<Record<string, unknown>>> {
  let repository: Repository;
  try {
    repository = await openRepository(openOptions(context, 'open'));
  } catch (error) {
    if (!(error instanceof CbrError) || error.code !== 'no-repository') throw error;
    const text = 'There is no repository here.';
    findings.push({ about: 'repository', thing: 'repository', severity: 'note', state: 'unknown', text });
    findings.push(
      ...unheardFinding(flags, 'there is no repository', 'For a new one: cbr init --waiting-period'),
    );
    return {};
  }
  return closingAfter(repository, context, async () => {
    const noted = await ofConfig(repository, flags, probe, findings);
    const left = await leftOver(repository);
    if (flags.clean === true) await clean(repository, left.probes);
    findings.push(...leftOverFindings(left, flags.clean === true));
    await repository.cache.verify().catch(() => undefined);
    findings.push(soundness(repository));
    return { repository: Buffer.from(repository.config.repository).toString('hex'), ...noted };
  });
}

async function ofConfig(
  repository: Repository,
  { waitingPeriod, endWaiting = false }: Flags,
  probe: ProbeResult | undefined,
  findings: DoctorFinding[],
): Promise<Readonly<Record<string, unknown>>> {
  const { config, configNumber, backend } = repository;
  let counting = { config, number: configNumber };
  if (probe !== undefined) {
    const known = waitingSecondsOf(config);
    if (
      waitingPeriod !== undefined &&
      known !== undefined &&
      waitingPeriod < known &&
      repository.waitingMs !== undefined
    ) {
      throw new CbrError(
        'usage',
        `the waiting period is ${periodText(1000 * known)}, and can only be raised`,
        {
          hint: 'A prune that runs may rely on the longer one.',
        },
      );
    }
    const settings = waitingPeriod === undefined ? {} : { waitingSeconds: waitingPeriod };
    try {
      counting = await noteStore(repository, probe, { ...settings, endWaiting });
      findings.push(configFinding(configNumber, counting.number));
    } catch (error) {
      if (!(error instanceof CbrError)) throw error;
      findings.push(unwrittenFinding(error));
    }
  }
  if (probe === undefined) {
    const hint = 'Run cbr doctor with a key that may write, or where the medium is writable.';
    findings.push(...unheardFinding({ waitingPeriod, endWaiting }, 'the store could not be tried', hint));
  } else if (endWaiting && probe.verdicts['create-only'] !== 'fine') {
    const hint = 'Mend the store, or what lies between it and this machine, then run the command again.';
    const seen = 'from here the store was not seen to write a name once';
    findings.push(...unheardFinding({ endWaiting }, seen, hint));
  }
  const waitingMs = waitingMsOf(counting.config, backend);
  if (waitingMs !== undefined) findings.push(waitingFinding(waitingMs, probe));
  return {
    config: counting.number,
    createOnly: waitingMs === undefined,
    ...(waitingMs === undefined ? {} : { waitingPeriod: waitingMs / 1000 }),
  };
}

function configFinding(before: number, now: number): DoctorFinding {
  const text =
    before === now
      ? 'The store is what the config says of it.'
      : `The store is not what config/${before} says of it: wrote config/${now}, which does. It counts from the next run on.`;
  return { about: 'repository', thing: 'config', severity: 'note', state: 'fine', text };
}

function unwrittenFinding(error: CbrError): DoctorFinding {
  return {
    about: 'repository',
    thing: 'config',
    severity: 'error',
    state: 'missing',
    text: `The store is not what the config says of it, and that could not be noted: ${error.message}`,
    hint: error.hint ?? 'Run cbr doctor with a key that may write.',
  };
}

function waitingFinding(waitingMs: number, probe: ProbeResult | undefined): DoctorFinding {
  const isFine = probe?.verdicts['create-only'] === 'fine';
  return {
    about: 'repository',
    thing: 'waiting-period',
    severity: 'warning',
    state: 'missing',
    text: `A prune removes what another one marked at least ${periodText(waitingMs)} before.`,
    ...(isFine
      ? {
          hint: 'From here the store writes a name once. If it does from every machine: cbr doctor --end-waiting',
        }
      : {}),
  };
}

async function clean(repository: Repository, probes: readonly string[]): Promise<void> {
  const { backend, now } = repository;
  requireRemoval(backend, 'clearing up');
  await endDeadSessions(repository);
  if (backend.stagingFolder !== undefined) await removeStaleTemporaries(backend.stagingFolder, 0, now());
  await backend.removeMany('parity', probes);
}

function soundness({ cache }: Repository): DoctorFinding {
  const base = { about: 'cache', thing: 'cache-soundness' } as const;
  if (!cache.isDamaged) {
    return { ...base, severity: 'note', state: 'fine', text: 'The cache of this repository is sound.' };
  }
  return {
    ...base,
    severity: 'warning',
    state: 'missing',
    text: 'The cache of this repository is damaged: it is built anew by the next run, and nothing is lost.',
    hint: 'If it happens again, look at the health of the disk and the memory of this machine.',
  };
}

async function ofMachine({ options }: CommandContext): Promise<DoctorFinding[]> {
  const location = options.location === undefined ? undefined : parseLocation(options.location).text;
  const caches = listCaches(options.cacheRoot, ownIdentity(hostname()));
  const { zstd, blake3, argon2 } = await loadAlgorithms(options.portable);
  const names = { zstd: zstd.name, blake3: blake3.name, argon2: argon2().name };
  const used = Object.entries(names).map(([name, by]) => `${name} by ${by}`);
  return [
    ...cacheFindings(options.cacheRoot, caches, location, Date.now()),
    {
      about: 'machine',
      thing: 'algorithms',
      severity: 'note',
      state: 'fine',
      text: `Algorithms: ${used.join(', ')}.`,
    },
  ];
}
