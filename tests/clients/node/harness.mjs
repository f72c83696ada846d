// What scenarios are written with: they are registered by name and run against one provider dialect at a time.
// Knows the test process's control address; knows no client.

import assert from "node:assert/strict";

export const registered = [];

/** Registers a scenario for every provider dialect. Its name is on the same line: pytest reads it there. */
export function scenario(name, run) {
  registered.push({ name, run });
}

/** One run of a scenario: `then` says what the upstream does next, `seen` tells what it was asked, in plain words. */
export class Run {
  constructor({ address, control, target, facts }) {
    Object.assign(this, { address, control, target, facts, key: facts.KEY, model: `on-${target}` });
  }

  async then(...scenes) {
    await this.#ask("/then", { target: this.target, scenes });
  }

  async seen() {
    return this.#ask("/seen", { target: this.target });
  }

  async #ask(path, body) {
    const answer = await fetch(this.control + path, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  }

  /** The signatures that a provider of this dialect gives, of those named. */
  signed(...signatures) {
    return this.target === "chat" ? [] : signatures;
  }

  get redacts() {
    return ["anthropic", "bedrock"].includes(this.target);
  }

  get stops() {
    return this.target !== "responses";
  }
}

/** The error that something throws; fails where it does not. */
export async function thrown(run) {
  try {
    await run();
  } catch (error) {
    return error;
  }
  assert.fail("nothing was thrown");
}
