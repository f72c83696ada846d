// The official `openai` npm client, Responses. Nothing is kept at the provider: thoughts go back by their encrypted content.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { scenario, thrown } from "../harness.mjs";

export const client = (run) => new OpenAI({ baseURL: `${run.address}/v1`, apiKey: run.key, maxRetries: 0 });

const user = (content) => ({ role: "user", content });
const result = (call, output) => ({ type: "function_call_output", call_id: call.call_id, output });
const tools = (run) => run.facts.TOOLS.map((tool) => ({ type: "function", strict: false, ...tool }));
const callsIn = (response) => response.output.filter((item) => item.type === "function_call");

async function asked(openai, run, input, streamed, options = {}) {
  const body = { model: run.model, input, store: false, include: ["reasoning.encrypted_content"], ...options };
  return streamed ? openai.responses.stream(body).finalResponse() : openai.responses.create(body);
}

for (const streamed of [false, true]) {
  const how = streamed ? "streamed" : "whole";

  scenario(`a plain question is answered, ${how}`, async (openai, run) => {
    await run.then("plain");
    const input = [{ role: "developer", content: "Speak of governors." }, user("What is it?")];
    const response = await asked(openai, run, input, streamed, { instructions: "Be brief.", max_output_tokens: 50 });

    assert.equal(response.output_text, run.facts.PLAIN);
    assert.equal(response.status, "completed");
    assert.equal(response.usage.input_tokens, 11);
    const seen = await run.seen();
    assert.deepEqual(seen.system, ["Be brief.", "Speak of governors."]);
    assert.deepEqual(seen.words, [["user", "What is it?"]]);
    assert.equal(seen.max_tokens, 50);
    assert.equal(seen.stream, streamed);
  });

  scenario(`a tool is called and its result answered, ${how}`, async (openai, run) => {
    await run.then("one_call", "plain");
    const history = [user("How is Paris?")];
    const response = await asked(openai, run, history, streamed, { tools: tools(run) });
    const [call] = callsIn(response);
    history.push(...response.output, result(call, "21 degrees"));
    const answer = await asked(openai, run, history, streamed, { tools: tools(run) });

    assert.deepEqual([call.name, JSON.parse(call.arguments)], ["weather", { city: "Paris" }]);
    assert.equal(answer.output_text, run.facts.PLAIN);
    const seen = await run.seen();
    assert.deepEqual(seen.answered, { Paris: "21 degrees" });
    assert.ok(seen.paired);
    assert.deepEqual(seen.tools.weather, run.facts.WEATHER.parameters);
  });

  scenario(`two tools are called at once and answered the other way, ${how}`, async (openai, run) => {
    await run.then("two_calls", "plain");
    const history = [user("How are Paris and Oslo?")];
    const response = await asked(openai, run, history, streamed, { tools: tools(run) });
    const [first, second] = callsIn(response);
    history.push(...response.output, result(second, "4 degrees"), result(first, "21 degrees"));
    await asked(openai, run, history, streamed, { tools: tools(run) });

    assert.deepEqual([first, second].map((call) => JSON.parse(call.arguments).city), ["Paris", "Oslo"]);
    assert.deepEqual((await run.seen()).answered, { Paris: "21 degrees", Oslo: "4 degrees" });
  });

  scenario(`a call without arguments is an empty object, ${how}`, async (openai, run) => {
    await run.then("bare_call", "plain");
    const history = [user("What time is it?")];
    const response = await asked(openai, run, history, streamed, { tools: tools(run) });
    const [call] = callsIn(response);
    await asked(openai, run, [...history, ...response.output, result(call, "noon")], streamed, { tools: tools(run) });

    assert.equal(call.arguments, "{}");
    assert.deepEqual((await run.seen()).calls, [["now", {}]]);
  });

  scenario(`a thought goes back to who thought it turn after turn, ${how}`, async (openai, run) => {
    await run.then("thought_and_call", "second_thought", "plain");
    const history = [user("How is Paris?")];
    const first = await asked(openai, run, history, streamed, { tools: tools(run) });
    history.push(...first.output, result(callsIn(first)[0], "21 degrees"));
    const second = await asked(openai, run, history, streamed, { tools: tools(run) });
    const secondRequest = await run.seen();
    history.push(...second.output, user("And tomorrow?"));
    await asked(openai, run, history, streamed, { tools: tools(run) });

    const thoughts = first.output.filter((item) => item.type === "reasoning").flatMap((item) => item.summary);
    assert.equal(thoughts.map((piece) => piece.text).join(""), run.facts.THOUGHT);
    assert.ok(secondRequest.thought_before_call);
    assert.deepEqual(secondRequest.signatures, run.signed(run.facts.SIGNATURE));
    assert.deepEqual((await run.seen()).signatures, run.signed(run.facts.SIGNATURE, run.facts.SECOND_SIGNATURE));
  });

  scenario(`a refusal says so, ${how}`, async (openai, run) => {
    await run.then("refusal");
    const response = await asked(openai, run, [user("Do harm.")], streamed);
    const said = response.output.flatMap((item) => item.content ?? []);

    assert.ok(said.some((part) => part.type === "refusal") || response.incomplete_details?.reason === "content_filter");
  });

  scenario(`usage adds up to the bill, ${how}`, async (openai, run) => {
    await run.then("cached");
    const { usage } = await asked(openai, run, [user("Again.")], streamed);

    assert.deepEqual([usage.input_tokens, usage.output_tokens, usage.total_tokens], [100, 20, 120]);
    assert.equal(usage.input_tokens_details.cached_tokens, 60);
  });

  scenario(`an answer that is cut short is incomplete, ${how}`, async (openai, run) => {
    await run.then("too_long");
    const response = await asked(openai, run, [user("More.")], streamed);

    assert.deepEqual([response.status, response.incomplete_details.reason], ["incomplete", "max_output_tokens"]);
  });

  scenario(`a page instead of an answer raises, ${how}`, async (openai, run) => {
    await run.then("html", "html", "html");
    const error = await thrown(() => asked(openai, run, [user("x")], streamed));

    assert.ok(error instanceof OpenAI.APIError, `${error}`);
    assert.match(error.message, /the upstream of model/);
  });
}

scenario("an answer by a schema is parsed", async (openai, run) => {
  await run.then("structured");
  const schema = z.object({ city: z.string(), degrees: z.number() });
  const response = await openai.responses.parse({
    model: run.model,
    input: "How is Paris?",
    text: { format: zodTextFormat(schema, "weather") },
  });

  assert.deepEqual(response.output_parsed, { city: "Paris", degrees: 21 });
  assert.deepEqual(Object.keys((await run.seen()).schema.properties), ["city", "degrees"]);
});

scenario("an image is seen", async (openai, run) => {
  await run.then("plain");
  const image = { type: "input_image", image_url: `data:image/png;base64,${run.facts.PNG}`, detail: "auto" };
  await asked(openai, run, [user([{ type: "input_text", text: "What is this?" }, image])], false);

  assert.deepEqual((await run.seen()).images, [["image/png", run.facts.PNG]]);
});

scenario("a document is read", async (openai, run) => {
  await run.then("plain");
  const file = { type: "input_file", filename: "paper.pdf", file_data: `data:application/pdf;base64,${run.facts.PDF}` };
  await asked(openai, run, [user([{ type: "input_text", text: "What does it say?" }, file])], false);

  assert.deepEqual((await run.seen()).documents, [["application/pdf", run.facts.PDF]]);
});

scenario("what was dropped is named", async (openai, run) => {
  await run.then("plain");
  const body = { model: run.model, input: "What is it?", truncation: "auto" };
  const { response } = await openai.responses.create(body).withResponse();

  assert.equal(response.headers.get("x-flyball-dropped") ?? "", run.target === "responses" ? "" : "truncation");
});

scenario("a wrong key is refused", async (openai, run) => {
  const error = await thrown(() => asked(openai.withOptions({ apiKey: "fb_wrong" }), run, "x", false));

  assert.ok(error instanceof OpenAI.AuthenticationError, `${error}`);
});

scenario("an unknown model is not found", async (openai) => {
  const error = await thrown(() => openai.responses.create({ model: "nosuch", input: "x" }));

  assert.ok(error instanceof OpenAI.NotFoundError, `${error}`);
});

scenario("a busy upstream says when to come back", async (openai, run) => {
  await run.then("busy");
  const error = await thrown(() => asked(openai, run, "x", true));

  assert.ok(error instanceof OpenAI.RateLimitError, `${error}`);
  assert.equal(error.headers.get("retry-after"), "7");
});

scenario("a conversation that is kept elsewhere is refused", async (openai, run) => {
  await run.then("plain");
  const ask = () => asked(openai, run, "Go on.", false, { previous_response_id: "resp_1" });

  if (run.target === "responses") await ask();
  else assert.equal((await thrown(ask)).param, "previous_response_id");
});

for (const fault of ["error_midway", "unfinished", "cut", "malformed"]) {
  scenario(`a stream that breaks raises: ${fault}`, async (openai, run) => {
    await run.then(fault);
    const error = await thrown(async () => {
      for await (const _ of await openai.responses.create({ model: run.model, input: "x", stream: true }));
    });

    assert.ok(error instanceof OpenAI.APIError, `${error}`);
  });
}

scenario("a function answers like a model", async (openai, run) => {
  for (const streamed of [false, true]) {
    const response = await asked(openai, { model: "triage" }, "What day is it?", streamed);
    assert.equal(response.output_text, run.facts.FUNCTION_ANSWER);
  }
});
