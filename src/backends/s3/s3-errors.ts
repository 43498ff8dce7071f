import { BackendError, CbrError, DamagedError, errnoOf, messageOf } from '../../core/index.js';

/** What the SDK throws, as far as it says what happened. */
interface Failure {
  readonly name: string;
  readonly message: string;
  readonly status: number | undefined;
  readonly errno: string | undefined;
}

interface Verdict {
  readonly retryable: boolean;
  readonly reason?: string;
  readonly hint?: string;
}

const CREDENTIALS_HINT =
  'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws with AWS_PROFILE or ?profile=NAME';

const permanent = (reason: string, hint: string): Verdict => ({ retryable: false, reason, hint });

/** Of what was tried again in vain. */
export const AWAY_HINT = 'check that the store runs and can be reached, then run the command again';

const NO_ACCESS = permanent(
  'access is denied',
  'check the key, and the policy of the bucket: docs/s3.md lists the rights that are needed',
);
const WRONG_KEY = permanent('the store does not know the access key', CREDENTIALS_HINT);
const EXPIRED = permanent('the credentials have expired', 'get new ones, then run the command again');
const WRONG_REGION = permanent('the bucket is in another region', 'name it with AWS_REGION or ?region=NAME');
const NO_BUCKET = permanent('there is no such bucket', 'check its name; `cbr init` makes a new one');
const FULL = permanent(
  'the store has no room left, or the quota is used up',
  'make room, then run the command again',
);
const CLOCK = permanent('the clock of this machine is wrong', 'set the clock, then run the command again');
const COLD = permanent(
  // In the reason too: where many files fail, hints are not printed.
  'the object is in a cold storage class, from which the store must bring it back first (RestoreObject)',
  'have the store bring it back, then run the command again',
);

/** By the code that the store gives, which the SDK makes the error's name. */
const BY_NAME: Readonly<Record<string, Verdict>> = {
  AccessDenied: NO_ACCESS,
  AllAccessDisabled: NO_ACCESS,
  AccountProblem: NO_ACCESS,
  InvalidAccessKeyId: WRONG_KEY,
  SignatureDoesNotMatch: permanent('the store does not accept the secret key', CREDENTIALS_HINT),
  CredentialsProviderError: permanent('no credentials were found', CREDENTIALS_HINT),
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  InvalidToken: EXPIRED,
  PermanentRedirect: WRONG_REGION,
  AuthorizationHeaderMalformed: WRONG_REGION,
  IllegalLocationConstraintException: WRONG_REGION,
  NoSuchBucket: NO_BUCKET,
  InvalidBucketName: permanent('this is no name of a bucket', 'check the location'),
  QuotaExceeded: FULL,
  QuotaExceededException: FULL,
  XMinioStorageFull: FULL,
  InsufficientStorage: FULL,
  RequestTimeTooSkewed: CLOCK,
  RequestExpired: CLOCK,
  InvalidObjectState: COLD,
  // The bytes that arrived are not those that were sent.
  BadDigest: { retryable: true, reason: 'the bytes arrived damaged' },
  XAmzContentSHA256Mismatch: { retryable: true, reason: 'the bytes arrived damaged' },
  IncompleteBody: { retryable: true },
  RequestTimeout: { retryable: true },
  // Two create-only writes of one name at the same time: neither has won yet.
  ConditionalRequestConflict: { retryable: true },
  OperationAborted: { retryable: true },
  SlowDown: { retryable: true, reason: 'the store asks for fewer requests' },
};

const BY_STATUS: Readonly<Record<number, Verdict>> = {
  301: WRONG_REGION,
  401: WRONG_KEY,
  403: NO_ACCESS,
  408: { retryable: true },
  409: { retryable: true },
  425: { retryable: true },
  429: { retryable: true, reason: 'the store asks for fewer requests' },
  501: permanent('the store cannot do this', 'see what it can do with: cbr doctor'),
  507: FULL,
};

const UNTRUSTED = permanent(
  'the certificate of the store is not trusted',
  'if its authority is your own, name its certificate with --ca-file',
);

const BY_ERRNO: Readonly<Record<string, Verdict>> = {
  ECONNREFUSED: { retryable: true, reason: 'nobody answers there' },
  ENOTFOUND: { retryable: true, reason: 'the name of the host is not known' },
  EAI_AGAIN: { retryable: true, reason: 'the name of the host cannot be looked up' },
  EPROTO: permanent('the store does not speak TLS there', 'check the port, and whether it is http or https'),
  ERR_TLS_CERT_ALTNAME_INVALID: permanent('the certificate is for another host', 'check the location'),
  CERT_HAS_EXPIRED: permanent('the certificate of the store has expired', 'have it renewed'),
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
};

/** Those of files on this machine, such as a staged one: trying again helps as little as with the local disk. */
const OF_FILES = new Set(['ENOENT', 'EACCES', 'EISDIR', 'EIO', 'ERR_OUT_OF_RANGE']);

/** The status of the answer, undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata: about } = (error ?? {}) as { $metadata?: { httpStatusCode?: unknown } };
  return typeof about?.httpStatusCode === 'number' ? about.httpStatusCode : undefined;
}

/** The code that the store gave. */
export function codeOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

/** What the failure of a request becomes: a BackendError that says why, what to do, and whether trying again may help (B8). */
export function storeFailure(what: string, error: unknown): CbrError {
  if (error instanceof CbrError) return error;
  const code = (error as { code?: unknown } | null)?.code;
  const failure: Failure = {
    name: oneLine(codeOf(error), 100),
    message: oneLine(messageOf(error), 300),
    status: statusOf(error),
    errno: errnoOf(error) ?? (typeof code === 'string' ? code : undefined),
  };
  const { retryable, reason, hint = retryable ? AWAY_HINT : undefined } = verdictOn(failure);
  const said = /^(Unknown|UnknownError|Error)?$/.test(failure.message) ? '' : failure.message;
  const status = failure.status === undefined ? '' : `HTTP ${failure.status} `;
  const detail = `${status}${failure.name}${said === '' || said === failure.name ? '' : `: ${said}`}`;
  const message = `${what}: ${reason === undefined ? detail : `${reason} (${detail})`}`;
  return new BackendError(message, retryable, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** What the store says is its own choice: it must not look like several lines of ours. */
export function oneLine(text: string, most: number): string {
  return text.split(/[\r\n]/, 1)[0]!.slice(0, most);
}

function verdictOn({ name, status, errno }: Failure): Verdict {
  const named = Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
  if (named !== undefined) return named;
  // Also when the head of an answer has come: without the body, which broke off, its status is only half of it.
  if (errno !== undefined) return BY_ERRNO[errno] ?? { retryable: !OF_FILES.has(errno) };
  if (status === undefined) return { retryable: true };
  // An answer that cannot be read, although all was well, has lost something on its way.
  if (status < 300 || status >= 500) return BY_STATUS[status] ?? { retryable: true };
  return BY_STATUS[status] ?? { retryable: false };
}

/** The range does not lie within the object: whoever wrote its index knew it longer. */
export function beyondEnd(
  object: string,
  offset: number,
  length: number,
  size: number | undefined,
): DamagedError {
  const has = size === undefined ? 'is shorter' : `has ${size}`;
  return new DamagedError(object, `bytes ${offset} to ${offset + length} expected, but it ${has}`);
}
