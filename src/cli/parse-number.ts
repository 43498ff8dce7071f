import { InvalidArgumentError } from 'commander';

/** Parsers of option values, for commander: each rejects with InvalidArgumentError, which says what is expected. */

/** A whole number within bounds. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) {
      throw new InvalidArgumentError(`A whole number from ${least} to ${most} is expected.`);
    }
    return value;
  };
}

/** A share in percent that leaves something: 0 and up to below 100; '%' may follow. */
export function percentageBelowAll(text: string): number {
  const value = /^[0-9]+(\.[0-9]+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (!(value < 100)) throw new InvalidArgumentError('A percentage from 0 to below 100 is expected.');
  return value;
}

/** A share in percent, above 0 and up to 100; '%' may follow. */
export function percentage(text: string): number {
  const value = /^[0-9]+(\.[0-9]+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (!(value > 0 && value <= 100)) {
    throw new InvalidArgumentError('A percentage above 0 and up to 100 is expected.');
  }
  return value;
}
