// The official `@anthropic-ai/sdk` npm client.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";
import { scenario, thrown } from "../harness.mjs";

export const client = (run) => new Anthropic({ baseURL: run.address, apiKey: run.key, maxRetries: 0 });

const text = (words) => ({ type: "text", text: words });
const user = (...content) => ({ role: "user", content });
const said = (message) => ({ role: "assistant", content: message.content });
const result = (call, content) => ({ type: "tool_result", tool_use_id: call.id, content });
const tools = (run) => run.facts.TOOLS.map(({ name, description, parameters }) => ({ name, description, input_schema: parameters }));
const callsIn = (message) => message.content.filter((block) => block.type === "tool_use");
const wordsOf = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");

async function asked(anthropic, run, messages, streamed, options = {}) {
  const body = { model: run.model, messages, max_tokens: 2000, ...options };
  return streamed ? anthropic.messages.stream(body).finalMessage() : anthropic.messages.create(body);
}

for (const streamed of [false, true]) {
  const how = streamed ? "streamed" : "whole";

  scenario(`a plain question is answered, ${how}`, async (anthropic, run) => {
    await run.then("plain");
    const options = { system: [text("Be brief."), text("Speak of governors.")], max_tokens: 50 };
    const message = await asked(anthropic, run, [user(text("What is it?"))], streamed, options);

    assert.equal(wordsOf(message), run.facts.PLAIN);
    assert.equal(message.stop_reason, "end_turn");
    assert.deepEqual([message.usage.input_tokens, message.usage.output_tokens], [11, 9]);
    const seen = await run.seen();
    assert.deepEqual(seen.system, ["Be brief.", "Speak of governors."]);
    assert.deepEqual(seen.words, [["user", "What is it?"]]);
    assert.equal(seen.max_tokens, 50);
    assert.equal(seen.stream, streamed);
  });

  scenario(`a tool is called and its result answered, ${how}`, async (anthropic, run) => {
    await run.then("one_call", "plain");
    const history = [user(text("How is Paris?"))];
    const message = await asked(anthropic, run, history, streamed, { tools: tools(run) });
    const [call] = callsIn(message);
    history.push(said(message), user(result(call, "21 degrees")));
    const answer = await asked(anthropic, run, history, streamed, { tools: tools(run) });

    assert.equal(message.stop_reason, "tool_use");
    assert.deepEqual([call.name, call.input], ["weather", { city: "Paris" }]);
    assert.equal(wordsOf(answer), run.facts.PLAIN);
    const seen = await run.seen();
    assert.deepEqual(seen.answered, { Paris: "21 degrees" });
    assert.ok(seen.paired);
    assert.deepEqual(seen.tools.weather, run.facts.WEATHER.parameters);
  });

  scenario(`two tools are called at once and answered the other way, ${how}`, async (anthropic, run) => {
    await run.then("two_calls", "plain");
    const history = [user(text("How are Paris and Oslo?"))];
    const message = await asked(anthropic, run, history, streamed, { tools: tools(run) });
    const [first, second] = callsIn(message);
    history.push(said(message), user(result(second, "4 degrees"), result(first, "21 degrees")));
    await asked(anthropic, run, history, streamed, { tools: tools(run) });

    assert.deepEqual([first, second].map((call) => call.input.city), ["Paris", "Oslo"]);
    assert.deepEqual((await run.seen()).answered, { Paris: "21 degrees", Oslo: "4 degrees" });
  });

  scenario(`a call without arguments is an empty object, ${how}`, async (anthropic, run) => {
    await run.then("bare_call", "plain");
    const history = [user(text("What time is it?"))];
    const message = await asked(anthropic, run, history, streamed, { tools: tools(run) });
    const [call] = callsIn(message);
    await asked(anthropic, run, [...history, said(message), user(result(call, "noon"))], streamed, { tools: tools(run) });

    assert.deepEqual(call.input, {});
    assert.deepEqual((await run.seen()).calls, [["now", {}]]);
  });

  scenario(`a thought goes back to who thought it turn after turn, ${how}`, async (anthropic, run) => {
    await run.then("thought_and_call", "second_thought", "plain");
    const options = { tools: tools(run), thinking: { type: "enabled", budget_tokens: 1024 } };
    const history = [user(text("How is Paris?"))];
    const first = await asked(anthropic, run, history, streamed, options);
    history.push(said(first), user(result(callsIn(first)[0], "21 degrees")));
    const second = await asked(anthropic, run, history, streamed, options);
    const secondRequest = await run.seen();
    history.push(said(second), user(text("And tomorrow?")));
    await asked(anthropic, run, history, streamed, options);

    assert.equal(first.content.find((block) => block.type === "thinking").thinking, run.facts.THOUGHT);
    assert.ok(secondRequest.thought_before_call);
    assert.deepEqual(secondRequest.signatures, run.signed(run.facts.SIGNATURE));
    assert.deepEqual((await run.seen()).signatures, run.signed(run.facts.SIGNATURE, run.facts.SECOND_SIGNATURE));
  });

  scenario(`a redacted thought goes back, ${how}`, async (anthropic, run) => {
    if (!run.redacts) return;
    await run.then("redacted", "plain");
    const history = [user(text("Think."))];
    const message = await asked(anthropic, run, history, streamed);
    await asked(anthropic, run, [...history, said(message), user(text("Go on."))], streamed);

    assert.deepEqual((await run.seen()).redacted, [run.facts.REDACTED]);
  });

  scenario(`a refusal says so, ${how}`, async (anthropic, run) => {
    await run.then("refusal");

    assert.equal((await asked(anthropic, run, [user(text("Do harm."))], streamed)).stop_reason, "refusal");
  });

  scenario(`usage adds up to the bill, ${how}`, async (anthropic, run) => {
    await run.then("cached");
    const { usage } = await asked(anthropic, run, [user(text("Again."))], streamed);

    assert.deepEqual([usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens], [40, 60, 20]);
  });

  scenario(`an answer that is cut short says so, ${how}`, async (anthropic, run) => {
    await run.then("too_long");

    assert.equal((await asked(anthropic, run, [user(text("More."))], streamed)).stop_reason, "max_tokens");
  });

  scenario(`a page instead of an answer raises, ${how}`, async (anthropic, run) => {
    await run.then("html", "html", "html");
    const error = await thrown(() => asked(anthropic, run, [user(text("x"))], streamed));

    assert.ok(error instanceof Anthropic.APIError, `${error}`);
    assert.match(error.message, /the upstream of model/);
  });
}

scenario("each word of a stream comes as it is said", async (anthropic, run) => {
  await run.then("plain");
  const words = [];
  const stream = anthropic.messages.stream({ model: run.model, messages: [user(text("What is it?"))], max_tokens: 50 });
  stream.on("text", (delta) => words.push(delta));
  await stream.done();

  assert.equal(words.join(""), run.facts.PLAIN);
  assert.ok(words.length > 1);
});

scenario("an answer by a schema is parsed", async (anthropic, run) => {
  await run.then("structured");
  const schema = z.object({ city: z.string(), degrees: z.number() });
  const message = await anthropic.messages.parse({
    model: run.model,
    max_tokens: 50,
    messages: [user(text("How is Paris?"))],
    output_config: { format: zodOutputFormat(schema) },
  });

  assert.deepEqual(message.parsed_output, { city: "Paris", degrees: 21 });
  assert.deepEqual(Object.keys((await run.seen()).schema.properties), ["city", "degrees"]);
});

scenario("an image is seen", async (anthropic, run) => {
  await run.then("plain");
  const source = { type: "base64", media_type: "image/png", data: run.facts.PNG };
  await asked(anthropic, run, [user({ type: "image", source }, text("What is this?"))], false);

  assert.deepEqual((await run.seen()).images, [["image/png", run.facts.PNG]]);
});

scenario("a document is read", async (anthropic, run) => {
  await run.then("plain");
  const source = { type: "base64", media_type: "application/pdf", data: run.facts.PDF };
  await asked(anthropic, run, [user({ type: "document", source, title: "paper.pdf" }, text("What does it say?"))], false);

  assert.deepEqual((await run.seen()).documents, [["application/pdf", run.facts.PDF]]);
});

scenario("a stop sequence ends an answer", async (anthropic, run) => {
  if (!run.stops) return;
  await run.then("stopped");
  const message = await asked(anthropic, run, [user(text("More."))], false, { stop_sequences: ["END"] });

  assert.ok(["stop_sequence", "end_turn"].includes(message.stop_reason));
  assert.deepEqual((await run.seen()).stop, ["END"]);
});

scenario("what was dropped is named", async (anthropic, run) => {
  await run.then("plain");
  const body = { model: run.model, messages: [user(text("x"))], max_tokens: 50, top_k: 5 };
  const { response } = await anthropic.messages.create(body).withResponse();

  const dropped = response.headers.get("x-flyball-dropped") ?? "";
  assert.equal(dropped.includes("top_k"), ["chat", "responses"].includes(run.target));
});

scenario("tokens are counted before they are spent", async (anthropic, run) => {
  const counted = await anthropic.messages.countTokens({ model: run.model, messages: [user(text("What is it?"))] });

  assert.ok(counted.input_tokens > 0);
});

scenario("a wrong key is refused", async (anthropic, run) => {
  const error = await thrown(() => asked(anthropic.withOptions({ apiKey: "fb_wrong" }), run, [user(text("x"))], false));

  assert.ok(error instanceof Anthropic.AuthenticationError, `${error}`);
});

scenario("an unknown model is not found", async (anthropic) => {
  const error = await thrown(() => asked(anthropic, { model: "nosuch" }, [user(text("x"))], false));

  assert.ok(error instanceof Anthropic.NotFoundError, `${error}`);
});

scenario("a busy upstream says when to come back", async (anthropic, run) => {
  await run.then("busy");
  const error = await thrown(() => asked(anthropic, run, [user(text("x"))], true));

  assert.ok(error instanceof Anthropic.RateLimitError, `${error}`);
  assert.equal(error.headers.get("retry-after"), "7");
});

scenario("a tool that only its vendor runs is refused elsewhere", async (anthropic, run) => {
  await run.then("plain");
  const search = { type: "web_search_20250305", name: "web_search" };
  const ask = () => asked(anthropic, run, [user(text("x"))], false, { tools: [search] });

  if (run.target === "anthropic") await ask();
  else assert.match((await thrown(ask)).message, /tools\[0\]/);
});

for (const fault of ["error_midway", "unfinished", "cut", "malformed"]) {
  scenario(`a stream that breaks raises: ${fault}`, async (anthropic, run) => {
    await run.then(fault);
    const error = await thrown(() => asked(anthropic, run, [user(text("x"))], true));

    assert.ok(error instanceof Anthropic.AnthropicError, `${error}`);
  });
}

scenario("a function answers like a model", async (anthropic, run) => {
  for (const streamed of [false, true]) {
    const message = await asked(anthropic, { model: "triage" }, [user(text("What day is it?"))], streamed);
    assert.equal(wordsOf(message), run.facts.FUNCTION_ANSWER);
  }
});
