// Runs one client's scenarios against every provider dialect and prints a line of JSON for each.
// Usage: node run.mjs SCENARIOS VARIANT ADDRESS CONTROL

import { registered, Run } from "./harness.mjs";

const [file, variant, address, control] = process.argv.slice(2);
const REAL_FETCH = globalThis.fetch;
globalThis.AI_SDK_LOG_WARNINGS = false;
// Whatever a client would send elsewhere fails here.
globalThis.fetch = async (asked, options) => {
  const url = new URL(asked instanceof Request ? asked.url : asked);
  if (url.hostname !== "127.0.0.1") throw new Error(`a client called ${url}`);
  return REAL_FETCH(asked, options);
};

const facts = await (await fetch(`${control}/facts`, { method: "POST", body: "{}" })).json();
const { client } = await import(`./scenarios/${file}.mjs`);
for (const target of facts.TARGETS) {
  const run = new Run({ address, control, target, facts });
  for (const one of registered) {
    await run.then();
    let failure = null;
    try {
      await limited(one.run(client(run, variant), run));
    } catch (error) {
      failure = `${error.stack ?? error}\n${JSON.stringify(await run.seen().catch(String)).slice(0, 3000)}`;
    }
    process.stdout.write(`${JSON.stringify({ target, name: one.name, failure })}\n`);
  }
}
process.exit(0);

function limited(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no end after 15 s")), 15_000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
