/** No answer is waited for without an end. */
import * as grpc from "@grpc/grpc-js";

import { CardServiceService, SessionRequest, SessionResponse } from "./gen/cardea/v1/cards.js";
import { ManagementServiceService } from "./gen/cardea/v1/management.js";
import type { PinSource } from "./gen/cardea/v1/pins.js";

const SESSION = CardServiceService.session.path;
/** Calls that take as long as card, server and people do. */
const UNLIMITED = new Set<string>([
  ManagementServiceService.startSession.path,
  ManagementServiceService.deliverNotification.path,
]);

type Call = ReturnType<Parameters<grpc.Interceptor>[1]>;

/** How long cardd waits for a person: unless it is told, and at most. */
const PERSON_MS = 60_000;
const PERSON_AT_MOST_MS = 300_000;

/** Ends a call whose next answer takes longer than that, and than who is asked for a PIN may take. */
export function answeredInTime(timeoutMs: number): grpc.Interceptor {
  return (options, nextCall) => {
    const { path, requestStream, responseStream } = options.method_definition;
    const unary = !requestStream && !responseStream && !UNLIMITED.has(path);
    const limited = path === SESSION || (unary && options.deadline === undefined);
    const call = nextCall(options);
    return limited ? limitedCall(call, timeoutMs) : new grpc.InterceptingCall(call);
  };
}

function limitedCall(next: Call, timeoutMs: number): grpc.InterceptingCall {
  let owed = 0; // answers to what we have sent
  let timer: NodeJS.Timeout | undefined;
  const count = (answers: number, limitMs: number): void => {
    owed += answers;
    clearTimeout(timer);
    if (owed > 0) timer = setTimeout(giveUp, limitMs);
  };
  const giveUp = (): void => {
    const late = `cardd has not answered within ${timeoutMs} ms`;
    next.cancelWithStatus(grpc.status.DEADLINE_EXCEEDED, late);
  };
  return new grpc.InterceptingCall(next, {
    start(metadata, _listener, start) {
      start(metadata, {
        onReceiveMessage(message: unknown, pass) {
          if (!isNotice(message)) count(-1, timeoutMs);
          pass(message);
        },
        onReceiveStatus(status, pass) {
          clearTimeout(timer);
          pass(status);
        },
      });
    },
    sendMessage(message: unknown, send) {
      count(1, timeoutMs + waitMs(message));
      send(message);
    },
  });
}

function isNotice(message: unknown): boolean {
  return (message as SessionResponse | null)?.message?.$case === "notice";
}

/** How much longer than cardd itself may take: for the card, or for a person. */
function waitMs(message: unknown): number {
  const opening = (message as SessionRequest).message;
  if (opening?.$case === "open") return milliseconds(opening.value.maxWait) ?? 0;
  const { source, pin } = message as { source?: PinSource; pin?: PinSource | string };
  const given = typeof pin === "object" ? pin : source;
  if (given?.source?.$case !== "agent") return 0;
  return Math.min(milliseconds(given.source.value.maxWait) ?? PERSON_MS, PERSON_AT_MOST_MS);
}

function milliseconds(duration: { seconds: bigint; nanos: number } | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
