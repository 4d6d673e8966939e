/**
 * Client of cardd, the card-access daemon.
 *
 * The services are the generated ones (./gen/cardea/v1); this file adds the connection, promises
 * for unary calls, and readable errors.
 */
import * as grpc from "@grpc/grpc-js";

import { CardServiceClient } from "./gen/cardea/v1/cards.js";
import { ManagementServiceClient } from "./gen/cardea/v1/management.js";
import { ProvisioningServiceClient } from "./gen/cardea/v1/provisioning.js";
import { ReaderServiceClient } from "./gen/cardea/v1/readers.js";
import { TreeServiceClient } from "./gen/cardea/v1/tree.js";
import { answeredInTime } from "./limits.js";
import { ErrorInfo, RetryInfo } from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";

export * from "./gen/cardea/v1/cards.js";
export * from "./gen/cardea/v1/errors.js";
export * from "./gen/cardea/v1/management.js";
export * from "./gen/cardea/v1/provisioning.js";
export * from "./gen/cardea/v1/readers.js";
export * from "./gen/cardea/v1/tree.js";

/** Where cardd listens unless its configuration says otherwise. */
export const DEFAULT_TARGET = "unix:/run/cardea/cardd.sock";

/** The longest wait for an answer unless a Client is told otherwise. */
export const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * The services of one connection; `close` ends them all.
 *
 * The target is one of gRPC's or the path of a Unix socket; by default $CARDEA_SOCKET, or
 * DEFAULT_TARGET. No answer takes longer than the timeout: not the one to a call without a deadline
 * of its own, and none within a Session. A person who is asked for a PIN, and a run that connects,
 * may take longer.
 */
export class Client {
  readonly readers: ReaderServiceClient;
  readonly cards: CardServiceClient;
  readonly tree: TreeServiceClient;
  readonly provisioning: ProvisioningServiceClient;
  readonly management: ManagementServiceClient;

  constructor(target: string = "", timeoutMs: number = DEFAULT_TIMEOUT_MS) {
    target = resolved(target);
    // The kernel tells the daemon who calls: no credentials. The socket is local: no TLS.
    const credentials = grpc.credentials.createInsecure();
    // A Unix socket has no host name; HTTP/2 still wants an authority.
    const options = {
      "grpc.default_authority": "localhost",
      interceptors: [answeredInTime(timeoutMs)],
    };
    this.readers = new ReaderServiceClient(target, credentials, options);
    const shared = { ...options, channelOverride: this.readers.getChannel() };
    this.cards = new CardServiceClient(target, credentials, shared);
    this.tree = new TreeServiceClient(target, credentials, shared);
    this.provisioning = new ProvisioningServiceClient(target, credentials, shared);
    this.management = new ManagementServiceClient(target, credentials, shared);
  }

  close(): void {
    this.readers.close();
  }
}

/** The target as gRPC names it. */
function resolved(target: string): string {
  const chosen = target || process.env.CARDEA_SOCKET || DEFAULT_TARGET;
  return chosen.includes(":") ? chosen : `unix:${chosen}`;
}

/** Reason of a CardeaError that cardd did not send: it does not answer at all. */
export const UNREACHABLE = "DAEMON_UNREACHABLE";

/** As UNREACHABLE: it does not answer in time. */
export const DEADLINE = "DEADLINE";

/** A call that cardd refused or could not do. Its message has reason and facts in it. */
export class CardeaError extends Error {
  constructor(
    /** Name of an ErrorReason without its prefix, such as "CARD_ABSENT", or UNREACHABLE or DEADLINE. */
    readonly reason: string,
    /** What it was about: reader, command, status_word, … */
    readonly facts: Readonly<Record<string, string>>,
    readonly code: grpc.status,
    detail: string,
    /** When trying again can help; undefined if it cannot. */
    readonly retryAfterMs?: number,
  ) {
    const listed = Object.entries(facts).map(([name, value]) => `${name}=${value}`);
    const tail = listed.length > 0 ? ` (${listed.sort().join(", ")})` : "";
    super(`${reason}: ${detail}${tail}`);
    this.name = "CardeaError";
  }
}

/** The CardeaError in what a call failed with, or that itself if it carries none. */
export function readable(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof CardeaError) return error;
  const { metadata, code, details } = error as Partial<grpc.ServiceError>;
  if (code === undefined) return error;
  const packed = metadata?.get("grpc-status-details-bin")[0];
  let info: ErrorInfo | undefined;
  let retryAfterMs: number | undefined;
  for (const detail of packed instanceof Buffer ? Status.decode(packed).details : []) {
    if (detail.typeUrl.endsWith("/google.rpc.ErrorInfo")) {
      info = ErrorInfo.decode(detail.value);
    } else if (detail.typeUrl.endsWith("/google.rpc.RetryInfo")) {
      const delay = RetryInfo.decode(detail.value).retryDelay;
      if (delay) retryAfterMs = Number(delay.seconds) * 1000 + delay.nanos / 1e6;
    }
  }
  if (info?.domain === "cardea") {
    return new CardeaError(info.reason, info.metadata, code, details ?? "", retryAfterMs);
  }
  if (code === grpc.status.UNAVAILABLE) {
    return new CardeaError(UNREACHABLE, {}, code, details ?? "", retryAfterMs);
  }
  if (code === grpc.status.DEADLINE_EXCEEDED) {
    return new CardeaError(DEADLINE, {}, code, details ?? "", retryAfterMs);
  }
  return error;
}

/** A unary call as a promise: `await call((done) => client.readers.listReaders({}, done))`. */
export function call<Response>(
  start: (done: (error: grpc.ServiceError | null, response: Response) => void) => unknown,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    start((error, response) => (error ? reject(readable(error)) : resolve(response)));
  });
}
