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
import { ErrorInfo } from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";

export * from "./gen/cardea/v1/cards.js";
export * from "./gen/cardea/v1/errors.js";
export * from "./gen/cardea/v1/management.js";
export * from "./gen/cardea/v1/provisioning.js";
export * from "./gen/cardea/v1/readers.js";
export * from "./gen/cardea/v1/tree.js";

/** Where cardd listens unless its configuration says otherwise. */
export const DEFAULT_TARGET = "unix:/run/cardea/cardd.sock";

/** The services of one connection; `close` ends them all. */
export class Client {
  readonly readers: ReaderServiceClient;
  readonly cards: CardServiceClient;
  readonly tree: TreeServiceClient;
  readonly provisioning: ProvisioningServiceClient;
  readonly management: ManagementServiceClient;

  constructor(target: string = DEFAULT_TARGET) {
    // The kernel tells the daemon who calls: no credentials. The socket is local: no TLS.
    const credentials = grpc.credentials.createInsecure();
    // A Unix socket has no host name; HTTP/2 still wants an authority.
    const options = { "grpc.default_authority": "localhost" };
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

/** A call that cardd refused or could not do. */
export class CardeaError extends Error {
  constructor(
    /** Name of an ErrorReason without its prefix, such as "CARD_ABSENT". */
    readonly reason: string,
    /** What it was about: reader, command, status_word, … */
    readonly facts: Readonly<Record<string, string>>,
    readonly code: grpc.status,
    message: string,
  ) {
    super(`${reason}: ${message}`);
    this.name = "CardeaError";
  }
}

/** The CardeaError in a gRPC error, or the error itself if it carries none. */
export function readable(error: unknown): unknown {
  const { metadata, code, details } = error as Partial<grpc.ServiceError>;
  const packed = metadata?.get("grpc-status-details-bin")[0];
  if (!(packed instanceof Buffer) || code === undefined) return error;
  for (const detail of Status.decode(packed).details) {
    if (!detail.typeUrl.endsWith("/google.rpc.ErrorInfo")) continue;
    const info = ErrorInfo.decode(detail.value);
    if (info.domain === "cardea") {
      return new CardeaError(info.reason, info.metadata, code, details ?? "");
    }
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
