/** What ends the run, by the exit code that it gives: those of `cbr`. */
export const EXIT = Object.freeze({
  done: 0,
  failed: 1,
  usage: 2,
  damage: 4,
  noRepository: 10,
  wrongPassword: 12,
  interrupted: 130,
});

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The run cannot go on. `hint` says what to do. */
export class Failure extends Error {
  override readonly name = 'Failure';

  constructor(
    readonly exitCode: ExitCode,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** Bytes that are not as docs/format.md says: nothing of the object is used. Another copy may be whole. */
export class Damage extends Error {
  override readonly name: string = 'Damage';
}

/** An object that a newer program has written. It is not damaged, but this program cannot read it. */
export class Newer extends Damage {
  override readonly name = 'Newer';
}

/** A pack in reach of which something is damaged. Another disc may have a copy that is whole. */
export class DamagedPack extends Damage {
  override readonly name = 'DamagedPack';

  constructor(
    readonly pack: string,
    reason: string,
  ) {
    super(`pack ${pack}: ${reason}`);
  }
}

/** Content that is on no disc in reach. */
export class OutOfReach extends Error {
  override readonly name = 'OutOfReach';

  /** `pack`: the name of a pack that has it; absent where no index in reach names the chunk. */
  constructor(readonly pack: string | undefined) {
    super(
      pack === undefined ? 'no index in reach says where its content lies' : `pack ${pack} is not in reach`,
    );
  }
}

/** Whether another disc may have what was not to be had. */
export function mayCome(loss: unknown): loss is DamagedPack | OutOfReach {
  return loss instanceof DamagedPack || loss instanceof OutOfReach;
}

/** What was thrown, in words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Rethrows what is an error of this program or of the machine; returns if it says something of the stored bytes. */
export function rethrowUnlessDamage(error: unknown): asserts error is Damage {
  if (!(error instanceof Damage)) throw error;
}
