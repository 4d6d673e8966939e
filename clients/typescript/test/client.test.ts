/** The client against a daemon that is silent: `node --test dist/test`. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";

import * as grpc from "@grpc/grpc-js";

import {
  call,
  CardeaError,
  CardServiceService,
  Client,
  DEADLINE,
  DeliverNotificationRequest,
  DeliverNotificationResponse,
  type GetCardResponse,
  ManagementServiceService,
  readable,
  SessionRequest,
  type SessionResponse,
  StartSessionRequest,
  StartSessionResponse,
  VerifyPinRequest,
  VerifyPinResponse,
} from "../src/index.js";

const SHORT_MS = 300;
/** Within it a server on the same machine answers, however busy that is. */
const AMPLE_MS = 2_000;
const folder = mkdtempSync(join(tmpdir(), "cardea-"));
const server = new grpc.Server();
let client: Client;

/** Answers an opening and the first command of a session, and nothing else. */
function session(stream: grpc.ServerDuplexStream<SessionRequest, SessionResponse>): void {
  let answered = 0;
  stream.on("data", () => {
    if (answered++ < 2) stream.write({ message: undefined });
  });
}

const late = <T>(answer: T) => (_: unknown, done: grpc.sendUnaryData<T>): void => {
  setTimeout(() => done(null, answer), 2 * SHORT_MS);
};

before(async () => {
  const verifyPin = late(VerifyPinResponse.fromPartial({}));
  const startSession = late(StartSessionResponse.fromPartial({}));
  const deliverNotification = late(DeliverNotificationResponse.fromPartial({}));
  const cards: unknown = { getCard: () => {}, verifyPin, session };
  const management: unknown = { startSession, deliverNotification };
  server.addService(CardServiceService, cards as grpc.UntypedServiceImplementation);
  server.addService(ManagementServiceService, management as grpc.UntypedServiceImplementation);
  const socket = join(folder, "cardd.sock");
  const insecure = grpc.ServerCredentials.createInsecure();
  await new Promise((bound) => server.bindAsync(`unix:${socket}`, insecure, bound));
  process.env.CARDEA_SOCKET = socket; // as a path
  client = new Client("", SHORT_MS);
});

after(() => {
  client.close();
  server.forceShutdown();
  rmSync(folder, { recursive: true });
});

const tooLate = (error: unknown): boolean =>
  error instanceof CardeaError && error.reason === DEADLINE;

test("a call without a deadline ends in time", async () => {
  const card = call<GetCardResponse>((done) => client.cards.getCard({ name: "" }, done));
  await assert.rejects(card, tooLate);
});

test("a deadline of the caller's counts", async () => {
  const request = VerifyPinRequest.fromPartial({});
  const options = { deadline: Date.now() + 60_000 };
  await call<VerifyPinResponse>((done) =>
    client.cards.verifyPin(request, new grpc.Metadata(), options, done),
  );
});

test("a person and a run may take longer", async () => {
  const source = { source: { $case: "agent" as const, value: {} } };
  const asking = VerifyPinRequest.fromPartial({ source });
  await call<VerifyPinResponse>((done) => client.cards.verifyPin(asking, done));
  const run = StartSessionRequest.fromPartial({});
  await call<StartSessionResponse>((done) => client.management.startSession(run, done));
  const notified = DeliverNotificationRequest.fromPartial({});
  await call<DeliverNotificationResponse>((done) =>
    client.management.deliverNotification(notified, done),
  );
});

test("an answer within a session comes in time or not at all", async (t) => {
  const patient = new Client("", AMPLE_MS);
  t.after(() => patient.close());
  const stream = patient.cards.session();
  const answers = stream[Symbol.asyncIterator]();
  const open = SessionRequest.fromPartial({ message: { $case: "open", value: {} } });
  const value = Buffer.from("00A40000", "hex");
  const command = SessionRequest.fromPartial({ message: { $case: "command", value } });
  for (const request of [open, command]) {
    await sleep(AMPLE_MS + SHORT_MS); // a pause of the program's own counts for nothing
    stream.write(request);
    await answers.next();
  }
  stream.write(command);
  await assert.rejects(answers.next(), (error) => tooLate(readable(error)));
});
