// The official `openai` npm client, Chat Completions.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { scenario, thrown } from "../harness.mjs";

export const client = (run) => new OpenAI({ baseURL: `${run.address}/v1`, apiKey: run.key, maxRetries: 0 });

const user = (content) => ({ role: "user", content });
const result = (call, content) => ({ role: "tool", tool_call_id: call.id, content });
const tools = (run) => run.facts.TOOLS.map((tool) => ({ type: "function", function: tool }));

async function asked(openai, run, messages, streamed, options = {}) {
  const body = { model: run.model, messages, ...options };
  if (!streamed) return openai.chat.completions.create(body);
  return openai.chat.completions.stream({ ...body, stream_options: { include_usage: true } }).finalChatCompletion();
}

for (const streamed of [false, true]) {
  const how = streamed ? "streamed" : "whole";

  scenario(`a plain question is answered, ${how}`, async (openai, run) => {
    await run.then("plain");
    const messages = [{ role: "system", content: "Be brief." }, { role: "developer", content: "Speak of governors." }];
    const answer = await asked(openai, run, [...messages, user("What is it?")], streamed, { max_completion_tokens: 50 });

    assert.equal(answer.choices[0].message.content, run.facts.PLAIN);
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.equal(answer.usage.prompt_tokens, 11);
    const seen = await run.seen();
    assert.deepEqual(seen.system, ["Be brief.", "Speak of governors."]);
    assert.deepEqual(seen.words, [["user", "What is it?"]]);
    assert.equal(seen.max_tokens, 50);
    assert.equal(seen.stream, streamed);
  });

  scenario(`a tool is called and its result answered, ${how}`, async (openai, run) => {
    await run.then("one_call", "plain");
    const history = [user("How is Paris?")];
    const message = (await asked(openai, run, history, streamed, { tools: tools(run) })).choices[0].message;
    const [call] = message.tool_calls;
    const answer = await asked(openai, run, [...history, message, result(call, "21 degrees")], streamed, { tools: tools(run) });

    assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)], ["weather", { city: "Paris" }]);
    assert.equal(answer.choices[0].message.content, run.facts.PLAIN);
    const seen = await run.seen();
    assert.deepEqual(seen.answered, { Paris: "21 degrees" });
    assert.ok(seen.paired);
    assert.deepEqual(seen.tools.weather, run.facts.WEATHER.parameters);
  });

  scenario(`two tools are called at once and answered the other way, ${how}`, async (openai, run) => {
    await run.then("two_calls", "plain");
    const history = [user("How are Paris and Oslo?")];
    const message = (await asked(openai, run, history, streamed, { tools: tools(run) })).choices[0].message;
    const [first, second] = message.tool_calls;
    const results = [result(second, "4 degrees"), result(first, "21 degrees")];
    await asked(openai, run, [...history, message, ...results], streamed, { tools: tools(run) });

    assert.deepEqual(message.tool_calls.map((call) => JSON.parse(call.function.arguments).city), ["Paris", "Oslo"]);
    assert.deepEqual((await run.seen()).answered, { Paris: "21 degrees", Oslo: "4 degrees" });
  });

  scenario(`a call without arguments is an empty object, ${how}`, async (openai, run) => {
    await run.then("bare_call", "plain");
    const history = [user("What time is it?")];
    const message = (await asked(openai, run, history, streamed, { tools: tools(run) })).choices[0].message;
    await asked(openai, run, [...history, message, result(message.tool_calls[0], "noon")], streamed, { tools: tools(run) });

    assert.equal(message.tool_calls[0].function.arguments, "{}");
    assert.deepEqual((await run.seen()).calls, [["now", {}]]);
  });

  scenario(`a thought goes back to who thought it turn after turn, ${how}`, async (openai, run) => {
    await run.then("thought_and_call", "second_thought", "plain");
    const history = [user("How is Paris?")];
    const first = (await asked(openai, run, history, streamed, { tools: tools(run) })).choices[0].message;
    history.push(first, result(first.tool_calls[0], "21 degrees"));
    const second = (await asked(openai, run, history, streamed, { tools: tools(run) })).choices[0].message;
    const secondRequest = await run.seen();
    history.push(second, user("And tomorrow?"));
    await asked(openai, run, history, streamed, { tools: tools(run) });

    assert.ok(secondRequest.thought_before_call);
    assert.deepEqual(secondRequest.signatures, run.signed(run.facts.SIGNATURE));
    assert.deepEqual((await run.seen()).signatures, run.signed(run.facts.SIGNATURE, run.facts.SECOND_SIGNATURE));
  });

  scenario(`a refusal says so, ${how}`, async (openai, run) => {
    await run.then("refusal");
    const [choice] = (await asked(openai, run, [user("Do harm.")], streamed).catch(contentFiltered)).choices;

    assert.ok(choice.message.refusal || choice.finish_reason === "content_filter");
  });

  scenario(`usage adds up to the bill, ${how}`, async (openai, run) => {
    await run.then("cached");
    const { usage } = await asked(openai, run, [user("Again.")], streamed);

    assert.deepEqual([usage.prompt_tokens, usage.completion_tokens, usage.total_tokens], [100, 20, 120]);
    assert.equal(usage.prompt_tokens_details.cached_tokens, 60);
  });

  scenario(`a page instead of an answer raises, ${how}`, async (openai, run) => {
    await run.then("html", "html", "html");
    const error = await thrown(() => asked(openai, run, [user("x")], streamed));

    assert.ok(error instanceof OpenAI.APIError, `${error}`);
    assert.match(error.message, /the upstream of model/);
  });
}

function contentFiltered(error) {
  if (error instanceof OpenAI.ContentFilterFinishReasonError) return { choices: [{ message: {}, finish_reason: "content_filter" }] };
  throw error;
}

scenario("a thought's words come, whole", async (openai, run) => {
  await run.then("thought_and_call");
  const message = (await asked(openai, run, [user("How is Paris?")], false, { tools: tools(run) })).choices[0].message;

  assert.equal(message.reasoning_content, run.facts.THOUGHT);
});

scenario("a thought's words come, piece by piece", async (openai, run) => {
  await run.then("thought_and_call");
  const body = { model: run.model, messages: [user("How is Paris?")], tools: tools(run), stream: true };
  const words = [];
  // The client's own gathering keeps the last piece only of fields that OpenAI does not have.
  for await (const chunk of await openai.chat.completions.create(body)) {
    words.push(chunk.choices[0]?.delta.reasoning_content ?? "");
  }

  assert.equal(words.join(""), run.facts.THOUGHT);
});

scenario("each word of a stream comes as it is said", async (openai, run) => {
  await run.then("plain");
  const words = [];
  const stream = openai.chat.completions.stream({ model: run.model, messages: [user("What is it?")] });
  stream.on("content", (delta) => words.push(delta));
  await stream.done();

  assert.equal(words.join(""), run.facts.PLAIN);
  assert.ok(words.length > 1);
});

scenario("an answer by a schema is parsed", async (openai, run) => {
  await run.then("structured");
  const schema = z.object({ city: z.string(), degrees: z.number() });
  const answer = await openai.chat.completions.parse({
    model: run.model,
    messages: [user("How is Paris?")],
    response_format: zodResponseFormat(schema, "weather"),
  });

  assert.deepEqual(answer.choices[0].message.parsed, { city: "Paris", degrees: 21 });
  assert.deepEqual(Object.keys((await run.seen()).schema.properties), ["city", "degrees"]);
});

scenario("an image is seen", async (openai, run) => {
  await run.then("plain");
  const image = { type: "image_url", image_url: { url: `data:image/png;base64,${run.facts.PNG}` } };
  await asked(openai, run, [user([{ type: "text", text: "What is this?" }, image])], false);

  assert.deepEqual((await run.seen()).images, [["image/png", run.facts.PNG]]);
});

scenario("a document is read", async (openai, run) => {
  await run.then("plain");
  const file = { filename: "paper.pdf", file_data: `data:application/pdf;base64,${run.facts.PDF}` };
  await asked(openai, run, [user([{ type: "text", text: "What does it say?" }, { type: "file", file }])], false);

  assert.deepEqual((await run.seen()).documents, [["application/pdf", run.facts.PDF]]);
});

scenario("an answer that is cut short says so", async (openai, run) => {
  await run.then("too_long");

  assert.equal((await asked(openai, run, [user("More.")], false)).choices[0].finish_reason, "length");
});

scenario("what was dropped is named", async (openai, run) => {
  await run.then("plain");
  const body = { model: run.model, messages: [user("What is it?")], logit_bias: { 50256: -100 } };
  const { response } = await openai.chat.completions.create(body).withResponse();

  assert.equal(response.headers.get("x-flyball-dropped") ?? "", run.target === "chat" ? "" : "logit_bias");
});

scenario("a wrong key is refused", async (openai, run) => {
  const error = await thrown(() => asked(openai.withOptions({ apiKey: "fb_wrong" }), run, [user("x")], false));

  assert.ok(error instanceof OpenAI.AuthenticationError, `${error}`);
});

scenario("an unknown model is not found", async (openai) => {
  const error = await thrown(() => openai.chat.completions.create({ model: "nosuch", messages: [user("x")] }));

  assert.ok(error instanceof OpenAI.NotFoundError, `${error}`);
});

scenario("a busy upstream says when to come back", async (openai, run) => {
  await run.then("busy");
  const error = await thrown(() => asked(openai, run, [user("x")], true));

  assert.ok(error instanceof OpenAI.RateLimitError, `${error}`);
  assert.equal(error.headers.get("retry-after"), "7");
});

scenario("two answers at once are refused where there is but one", async (openai, run) => {
  await run.then("plain");
  const ask = () => asked(openai, run, [user("x")], false, { n: 2 });

  if (["chat", "gemini"].includes(run.target)) await ask();
  else assert.equal((await thrown(ask)).param, "n");
});

for (const fault of ["error_midway", "unfinished", "cut", "malformed"]) {
  scenario(`a stream that breaks raises: ${fault}`, async (openai, run) => {
    await run.then(fault);
    const error = await thrown(async () => {
      for await (const _ of await openai.chat.completions.create({ model: run.model, messages: [user("x")], stream: true }));
    });

    assert.ok(error instanceof OpenAI.APIError, `${error}`);
  });
}

scenario("a function answers like a model", async (openai, run) => {
  for (const streamed of [false, true]) {
    const answer = await asked(openai, { model: "triage" }, [user("What day is it?")], streamed);
    assert.equal(answer.choices[0].message.content, run.facts.FUNCTION_ANSWER);
  }
});
