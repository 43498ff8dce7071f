import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { rootCertificates } from 'node:tls';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { CbrError, messageOf } from '../../core/index.js';
import type { StoreOptions } from '../store-options.js';
import type { S3Location } from './s3-location.js';

/** Whoever does not even accept a connection for so long is away. */
const CONNECT_MS = 10_000;

/** What fails comes out as an error: the client must not write beside it. */
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {}

/** Compatible stores ignore it, but every signature names one. */
const ANY_REGION = 'us-east-1';

/**
 * The SDK's client for a location: credentials from the SDK's own chain; no retries, ours know which writes are ambiguous;
 * checksums only where they are required, because compatible stores refuse the newer ones; one connection more than `connections`,
 * for what must not wait (see `Turns`). Rejects with `usage` when the
 * certificates cannot be read.
 */
export async function s3Client(
  location: S3Location,
  options: StoreOptions,
  connections: number,
): Promise<S3Client> {
  const { endpoint } = location;
  const agent = { keepAlive: true, maxSockets: connections + 1 };
  const authority = await trusted(options.caFile);
  const config: S3ClientConfig = {
    maxAttempts: 1,
    logger: SILENT,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would make each large write wait for one answer more.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      // A request may wait long for a free connection: that is no reason to warn.
      socketAcquisitionWarningTimeout: 2 ** 31 - 1,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ...authority }),
    },
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: options.style !== 'virtual' }),
    // AWS itself says where a bucket is.
    ...(endpoint === undefined
      ? { followRegionRedirects: true, forcePathStyle: options.style === 'path' }
      : {}),
    region: options.region ?? (() => usualRegion(options.profile)),
  };
  const client = new S3Client(config);
  if (options.profile !== undefined) nameProfile(client, options.profile);
  return client;
}

/** The SDK's chain ends with what its last link says, which has not heard of the profile. */
function nameProfile(client: S3Client, profile: string): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        if (!(error instanceof Error && error.name === 'CredentialsProviderError')) throw error;
        const { name, message } = error;
        const told = new Error(`the profile ${profile} has none: ${message}`, { cause: error });
        throw Object.assign(told, { name });
      }
    },
    { step: 'initialize', name: 'nameProfile' },
  );
}

/** What the environment or the configuration files of AWS say, of the profile if one is named. */
async function usualRegion(profile: string | undefined): Promise<string> {
  const asked = new S3Client(profile === undefined ? {} : { profile });
  try {
    return await asked.config.region();
  } catch {
    return ANY_REGION;
  } finally {
    asked.destroy();
  }
}

async function trusted(caFile: string | undefined): Promise<{ ca?: string[] }> {
  if (caFile === undefined) return {};
  const hint = 'name a file with certificates in PEM form';
  const certificates = await readFile(caFile, 'utf8').catch((error: unknown) => {
    throw new CbrError('usage', `cannot read the certificates in ${caFile}: ${messageOf(error)}`, {
      hint,
      cause: error,
    });
  });
  try {
    // What is none would be passed over in silence, and every store be called untrusted.
    new X509Certificate(certificates);
  } catch (error) {
    throw new CbrError('usage', `${caFile} holds no certificate: ${messageOf(error)}`, {
      hint,
      cause: error,
    });
  }
  return { ca: [...rootCertificates, certificates] };
}
