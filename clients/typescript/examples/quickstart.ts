/**
 * Lists the readers, reads the ICCID of the cards in them, and waits for the next insertion.
 *
 *   node dist/examples/quickstart.js [unix:/run/cardea/cardd.sock] [--no-watch]
 */
import {
  call,
  Client,
  DEFAULT_TARGET,
  readable,
  ReadFileRequest,
  readerStateToJSON,
} from "../src/index.js";
import type { ListReadersResponse, ReadFileResponse, WatchReadersResponse } from "../src/index.js";

async function printIccid(client: Client, card: string): Promise<void> {
  const file = { file: { $case: "known" as const, value: "EF.ICCID" } };
  const answer = await call<ReadFileResponse>((done) =>
    client.cards.readFile(ReadFileRequest.fromPartial({ name: card, file }), done),
  );
  console.log(`ICCID ${answer.content?.decodedJson}`);
}

/** Prints the card that comes next into any reader. */
async function awaitInsertion(client: Client): Promise<void> {
  const events = client.readers.watchReaders({ afterSequence: 0n });
  for await (const event of events as AsyncIterable<WatchReadersResponse>) {
    if (event.change?.$case === "snapshot") console.log("watching");
    if (event.change?.$case === "changed" && event.change.value.card !== "") {
      console.log(`inserted ${event.change.value.card}`);
      await printIccid(client, event.change.value.card);
      events.cancel();
      return;
    }
  }
}

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const client = new Client(words.find((word) => !word.startsWith("-")) ?? DEFAULT_TARGET);
  try {
    const list = await call<ListReadersResponse>((done) => client.readers.listReaders({}, done));
    for (const reader of list.readers) {
      console.log(`reader ${reader.pcscName}: ${readerStateToJSON(reader.state)}`);
      if (reader.card !== "") await printIccid(client, reader.card);
    }
    if (!words.includes("--no-watch")) await awaitInsertion(client);
  } finally {
    client.close();
  }
}

main().catch((error: unknown) => {
  const known = readable(error);
  console.error(known instanceof Error ? known.message : String(known));
  process.exitCode = 1;
});
