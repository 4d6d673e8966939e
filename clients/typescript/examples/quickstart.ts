/**
 * Lists the readers, reads the ICCID of every card in them, and waits for the next insertion.
 *
 *   node dist/examples/quickstart.js [/run/cardea/cardd.sock] [--no-watch]
 *   node dist/examples/quickstart.js --card=cards/8900101000000000019
 */
import {
  call,
  Client,
  readable,
  ReadFileRequest,
  readerStateToJSON,
} from "../src/index.js";
import type {
  ListReadersResponse,
  Reader,
  ReadFileResponse,
  WatchReadersResponse,
} from "../src/index.js";

async function printIccid(client: Client, card: string): Promise<void> {
  const file = { file: { $case: "known" as const, value: "EF.ICCID" } };
  const answer = await call<ReadFileResponse>((done) =>
    client.cards.readFile(ReadFileRequest.fromPartial({ name: card, file }), done),
  );
  const decoded = JSON.parse(answer.content?.decodedJson || "{}") as { iccid?: string };
  console.log(`ICCID ${decoded.iccid ?? "is not decoded"}`);
}

async function printReaders(client: Client, readers: readonly Reader[]): Promise<void> {
  for (const reader of readers) {
    const state = readerStateToJSON(reader.state).replace("READER_STATE_", "");
    console.log(`reader ${reader.pcscName}: ${state}`);
    if (reader.card !== "") await printIccid(client, reader.card);
  }
}

async function list(client: Client): Promise<void> {
  const answer = await call<ListReadersResponse>((done) => client.readers.listReaders({}, done));
  await printReaders(client, answer.readers);
}

/**
 * Takes the list from the watch's snapshot: between a call of listReaders and a watch an insertion
 * would go unseen.
 */
async function listAndAwait(client: Client): Promise<void> {
  const events = client.readers.watchReaders({ afterSequence: 0n });
  try {
    await awaitInsertion(client, events as AsyncIterable<WatchReadersResponse>);
  } finally {
    events.on("error", () => {}); // that it was cancelled
    events.cancel();
  }
}

async function awaitInsertion(
  client: Client,
  events: AsyncIterable<WatchReadersResponse>,
): Promise<void> {
  const present = new Map<string, string>(); // card by reader
  for await (const { change } of events) {
    if (change?.$case === "snapshot") {
      for (const reader of change.value.readers) present.set(reader.name, reader.card);
      await printReaders(client, change.value.readers);
      console.log("watching");
    } else if (change?.$case === "changed") {
      // A reader also changes when somebody takes or leaves the card that is in it.
      const { name, card } = change.value;
      if (card !== "" && card !== present.get(name)) {
        console.log(`inserted ${card}`);
        await printIccid(client, card);
        return;
      }
      present.set(name, card);
    } else if (change?.$case === "removed") {
      present.delete(change.value);
    }
  }
}

async function main(words: readonly string[]): Promise<void> {
  const client = new Client(words.find((word) => !word.startsWith("-"))); // or $CARDEA_SOCKET
  const card = words.find((word) => word.startsWith("--card="))?.slice("--card=".length);
  try {
    if (card !== undefined) await printIccid(client, card);
    else if (words.includes("--no-watch")) await list(client);
    else await listAndAwait(client);
  } finally {
    client.close();
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const known = readable(error); // a CardeaError has reason, message and facts in one line
  console.error(known instanceof Error ? known.message : String(known));
  process.exitCode = 1;
});
