import { CbrError } from '../../core/index.js';
import { parseStoreOption, STORE_OPTION_WORDS, type StoreOptions } from '../store-options.js';

/** A repository in an S3-compatible object store. */
export interface S3Location {
  readonly kind: 's3';
  /** Without options, in one form for each place: it names what this machine keeps of the repository. */
  readonly text: string;
  /** `https://host:port`; undefined for the endpoint that AWS has for the region. */
  readonly endpoint: string | undefined;
  readonly bucket: string;
  /** What the names of all objects begin with: nothing, or something that ends with a slash. */
  readonly prefix: string;
  /** What its query says. */
  readonly options: StoreOptions;
}

const HINT = 'write s3:https://HOST[:PORT]/BUCKET[/PREFIX], or s3://BUCKET[/PREFIX] for AWS';

/**
 * Reads `s3:https://host[:port]/bucket/prefix?option=value`, also with http and, as restic writes it, without a scheme, which
 * is https; and `s3://bucket/prefix` for AWS. The query is percent-decoded, but a plus is a plus. Rejects with CbrError 'usage'.
 */
export function parseS3Location(text: string): S3Location {
  const fail = (reason: string, hint = HINT): never => {
    throw new CbrError('usage', `${JSON.stringify(text)} is no location of a repository: ${reason}`, {
      hint,
    });
  };
  const [, before = '', , query = ''] =
    /^s3:([^?]*)(\?(.*))?$/is.exec(text) ?? fail('it does not begin with s3:');
  const isAws = before.startsWith('//');
  const [, scheme = 'https', host = '', path = ''] =
    /^(?:(https?):\/\/)?([^/]*)(.*)$/is.exec(isAws ? `//${before}`.slice(2) : before) ??
    fail('it names no host');
  const rest = isAws ? before.slice(2) : path.slice(1);
  const endpoint = isAws ? undefined : endpointOf(scheme, host, fail);
  // A bucket alone, as other programs write it, would be taken for a host.
  if (!isAws && !before.includes('://') && !/[.:]|^localhost$/.test(host))
    fail(`${JSON.stringify(host)} is no host`);
  const [bucketText = '', ...prefixParts] = rest.split('/').map((part) => decoded(part, fail));
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(bucketText))
    fail(bucketText === '' ? 'it names no bucket' : `${JSON.stringify(bucketText)} is no name of a bucket`);
  const parts = prefixParts.filter((part) => part !== '');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  if (parts.some((part) => part === '.' || part === '..' || /[\x00-\x1f\x7f]/.test(part)))
    fail('its prefix has a part that no store takes', 'choose a prefix of letters, digits, dots and dashes');
  const prefix = parts.map((part) => `${part}/`).join('');
  if (Buffer.byteLength(prefix) > 512) fail('its prefix is longer than 512 bytes');
  const place = [bucketText, ...parts].map(encodeURIComponent).join('/');
  return Object.freeze({
    kind: 's3',
    text: endpoint === undefined ? `s3://${place}` : `s3:${endpoint}/${place}`,
    endpoint,
    bucket: bucketText,
    prefix,
    options: Object.freeze(optionsOf(query, fail)),
  });
}

type Fail = (reason: string, hint?: string) => never;

function endpointOf(scheme: string, host: string, fail: Fail): string {
  if (host === '') fail('it names no host');
  if (host.includes('@')) {
    fail(
      'it holds a name or a password',
      'credentials come from the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) or a profile of ~/.aws',
    );
  }
  try {
    const url = new URL(`${scheme.toLowerCase()}://${host}`);
    return url.origin;
  } catch {
    return fail(`${JSON.stringify(host)} is no host`);
  }
}

function optionsOf(query: string, fail: Fail): StoreOptions {
  let options: StoreOptions = {};
  for (const each of query.split('&').filter((part) => part !== '')) {
    const [word = '', ...value] = each.split('=');
    const name = STORE_OPTION_WORDS.get(decoded(word, fail));
    if (name === undefined) {
      const known = [...STORE_OPTION_WORDS.keys()].join(', ');
      return fail(`it has the option ${JSON.stringify(word)}`, `a location can have: ${known}`);
    }
    options = {
      ...options,
      ...parseStoreOption(name, decoded(value.join('='), fail), `${word} of the location`),
    };
  }
  return options;
}

function decoded(text: string, fail: Fail): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return fail(`${JSON.stringify(text)} is not percent-encoded`);
  }
}
