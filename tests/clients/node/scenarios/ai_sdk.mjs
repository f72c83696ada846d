// The `ai` npm client over each of its official provider packages: what they ask and read differs, what their user sees does not.

import assert from "node:assert/strict";
import { APICallError, Output, generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { scenario, thrown } from "../harness.mjs";

/** What a tool answered: Google's package puts it into an object of its own, and that is what the upstream gets, whole. */
function unwrapped(said) {
  const { name, content, ...rest } = JSON.parse(said);
  assert.deepEqual([name, rest], ["weather", {}]);
  return content;
}

// How a model is reached, what its provider has to be told, whether it gives signed thoughts back, how it words results.
const PROVIDERS = {
  openai_chat: {
    model: (run, key) => createOpenAI({ baseURL: `${run.address}/v1`, apiKey: key }).chat(run.model),
  },
  openai_responses: {
    model: (run, key) => createOpenAI({ baseURL: `${run.address}/v1`, apiKey: key }).responses(run.model),
    options: { openai: { store: false, include: ["reasoning.encrypted_content"] } },
    signs: true,
  },
  anthropic: {
    model: (run, key) => createAnthropic({ baseURL: `${run.address}/v1`, apiKey: key })(run.model),
    signs: true,
  },
  google: {
    model: (run, key) => createGoogle({ baseURL: `${run.address}/v1beta`, apiKey: key })(run.model),
    options: { google: { thinkingConfig: { includeThoughts: true } } },
    signs: true,
    answered: unwrapped,
  },
  openai_compatible: {
    model: (run, key) =>
      createOpenAICompatible({
        name: "flyball",
        baseURL: `${run.address}/v1`,
        apiKey: key,
        includeUsage: true,
        supportsStructuredOutputs: true,
      })(run.model),
  },
};

export const client = (run, variant) => ({ ...PROVIDERS[variant], variant, of: (where, key) => PROVIDERS[variant].model(where, key) });

const user = (content) => ({ role: "user", content });

function tools(run, executed = {}) {
  return Object.fromEntries(
    run.facts.TOOLS.map(({ name, description, parameters }) => [
      name,
      tool({ description, inputSchema: jsonSchema(parameters), ...(executed[name] ? { execute: executed[name] } : {}) }),
    ]),
  );
}

/** The answer, gathered by the client where it is streamed. */
async function asked(ai, run, messages, streamed, options = {}) {
  const body = { model: ai.of(run, run.key), messages, maxRetries: 0, providerOptions: ai.options, ...options };
  if (!streamed) return generateText(body);
  const failures = [];
  const result = streamText({ ...body, onError: ({ error }) => failures.push(error) });
  await result.consumeStream();
  if (failures.length) throw failures[0];
  const names = ["text", "toolCalls", "finishReason", "usage", "reasoningText", "responseMessages", "steps"];
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await result[name]])));
}

for (const streamed of [false, true]) {
  const how = streamed ? "streamed" : "whole";

  scenario(`a plain question is answered, ${how}`, async (ai, run) => {
    await run.then("plain");
    const answer = await asked(ai, run, [user("What is it?")], streamed, { instructions: "Be brief.", maxOutputTokens: 50 });

    assert.equal(answer.text, run.facts.PLAIN);
    assert.equal(answer.finishReason, "stop");
    assert.deepEqual([answer.usage.inputTokens, answer.usage.outputTokens], [11, 9]);
    const seen = await run.seen();
    assert.deepEqual(seen.system, ["Be brief."]);
    assert.deepEqual(seen.words, [["user", "What is it?"]]);
    assert.equal(seen.max_tokens, 50);
    assert.equal(seen.stream, streamed);
  });

  scenario(`the client calls tools by itself and goes on, ${how}`, async (ai, run) => {
    await run.then("two_calls", "plain");
    const executed = { weather: async ({ city }) => (city === "Paris" ? "21 degrees" : "4 degrees") };
    const options = { tools: tools(run, executed), stopWhen: isStepCount(3) };
    const answer = await asked(ai, run, [user("How are Paris and Oslo?")], streamed, options);

    assert.equal(answer.text, run.facts.PLAIN);
    const seen = await run.seen();
    const answered = Object.entries(seen.answered).map(([city, said]) => [city, ai.answered ? ai.answered(said) : said]);
    assert.deepEqual(Object.fromEntries(answered), { Paris: "21 degrees", Oslo: "4 degrees" });
    assert.ok(seen.paired);
    // The client itself adds what it thinks a schema should say.
    const { city, unit } = seen.tools.weather.properties;
    assert.deepEqual({ city, unit }, run.facts.WEATHER.parameters.properties);
  });

  scenario(`a call without arguments is an empty object, ${how}`, async (ai, run) => {
    await run.then("bare_call");
    const answer = await asked(ai, run, [user("What time is it?")], streamed, { tools: tools(run) });

    assert.equal(answer.finishReason, "tool-calls");
    assert.deepEqual(answer.toolCalls.map((call) => [call.toolName, call.input]), [["now", {}]]);
  });

  scenario(`a thought is shown and goes back to who thought it, ${how}`, async (ai, run) => {
    await run.then("thought_and_call", "second_thought", "plain");
    const options = { tools: tools(run, { weather: async () => "21 degrees" }), stopWhen: isStepCount(2) };
    const history = [user("How is Paris?")];
    const answer = await asked(ai, run, history, streamed, options);
    const secondRequest = await run.seen();
    await asked(ai, run, [...history, ...answer.responseMessages, user("And tomorrow?")], streamed, { tools: tools(run) });

    const thoughts = answer.steps.map((step) => step.reasoningText ?? "");
    // The package for OpenAI's own chat shows no thoughts: OpenAI's chat has none.
    if (ai.variant !== "openai_chat") assert.deepEqual(thoughts, [run.facts.THOUGHT, run.facts.SECOND_THOUGHT]);
    if (ai.signs) {
      assert.deepEqual(secondRequest.signatures, run.signed(run.facts.SIGNATURE));
      assert.deepEqual((await run.seen()).signatures, run.signed(run.facts.SIGNATURE, run.facts.SECOND_SIGNATURE));
    }
  });

  scenario(`an answer by a schema is an object, ${how}`, async (ai, run) => {
    await run.then("structured");
    const schema = jsonSchema({
      type: "object",
      properties: { city: { type: "string" }, degrees: { type: "integer" } },
      required: ["city", "degrees"],
      additionalProperties: false,
    });
    const answer = await asked(ai, run, [user("How is Paris?")], streamed, { output: Output.object({ schema }) });

    assert.deepEqual(JSON.parse(answer.text), { city: "Paris", degrees: 21 });
  });

  scenario(`usage adds up to the bill, ${how}`, async (ai, run) => {
    await run.then("cached");
    const { usage } = await asked(ai, run, [user("Again.")], streamed);

    assert.deepEqual([usage.inputTokens, usage.outputTokens], [100, 20]);
    assert.equal(usage.inputTokenDetails.cacheReadTokens, 60);
  });

  scenario(`an answer that is cut short says so, ${how}`, async (ai, run) => {
    await run.then("too_long");

    assert.equal((await asked(ai, run, [user("More.")], streamed)).finishReason, "length");
  });

  scenario(`a page instead of an answer raises, ${how}`, async (ai, run) => {
    await run.then("html", "html", "html");
    const error = await thrown(() => asked(ai, run, [user("x")], streamed));

    assert.match(error.message, /the upstream of model/);
  });

  scenario(`a busy upstream says when to come back, ${how}`, async (ai, run) => {
    await run.then("busy");
    const error = await thrown(() => asked(ai, run, [user("x")], streamed));

    assert.ok(APICallError.isInstance(error), `${error}`);
    assert.equal(error.statusCode, 429);
    assert.equal(error.responseHeaders["retry-after"], "7");
  });
}

scenario("each word of a stream comes as it is said", async (ai, run) => {
  await run.then("plain");
  const words = [];
  const result = streamText({ model: ai.of(run, run.key), prompt: "What is it?", maxRetries: 0 });
  for await (const word of result.textStream) words.push(word);

  assert.equal(words.join(""), run.facts.PLAIN);
  assert.ok(words.length > 1);
});

scenario("an image is seen", async (ai, run) => {
  await run.then("plain");
  const image = { type: "file", mediaType: "image/png", data: run.facts.PNG };
  await asked(ai, run, [user([{ type: "text", text: "What is this?" }, image])], false);

  assert.deepEqual((await run.seen()).images, [["image/png", run.facts.PNG]]);
});

scenario("a document is read", async (ai, run) => {
  await run.then("plain");
  const paper = { type: "file", mediaType: "application/pdf", data: run.facts.PDF, filename: "paper.pdf" };
  await asked(ai, run, [user([{ type: "text", text: "What does it say?" }, paper])], false);

  assert.deepEqual((await run.seen()).documents, [["application/pdf", run.facts.PDF]]);
});

scenario("a wrong key is refused", async (ai, run) => {
  const error = await thrown(() => generateText({ model: ai.of(run, "fb_wrong"), prompt: "x", maxRetries: 0 }));

  assert.equal(error.statusCode, 401);
});

scenario("an unknown model is not found", async (ai, run) => {
  const model = ai.of({ address: run.address, model: "nosuch" }, run.key);
  const error = await thrown(() => generateText({ model, prompt: "x", maxRetries: 0 }));

  assert.equal(error.statusCode, 404);
  assert.match(error.message, /nosuch/);
});

for (const fault of ["error_midway", "unfinished", "cut", "malformed"]) {
  scenario(`a stream that breaks is an error: ${fault}`, async (ai, run) => {
    await run.then(fault);

    await thrown(() => asked(ai, run, [user("x")], true));
  });
}

scenario("a function answers like a model", async (ai, run) => {
  for (const streamed of [false, true]) {
    const where = { address: run.address, model: "triage", key: run.key };
    const answer = await asked(ai, where, [user("What day is it?")], streamed);
    assert.equal(answer.text, run.facts.FUNCTION_ANSWER);
  }
});
