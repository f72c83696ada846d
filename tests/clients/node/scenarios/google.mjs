// The official `@google/genai` npm client.

import assert from "node:assert/strict";
import { ApiError, FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";
import { scenario, thrown } from "../harness.mjs";

const made = (run, apiKey) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: run.address } });

export const client = (run) => made(run, run.key);

const text = (words) => ({ text: words });
const user = (...parts) => ({ role: "user", parts });
const said = (response) => response.candidates[0].content;
const result = (call, words) => ({ functionResponse: { id: call.id, name: call.name, response: { output: words } } });
const tools = (run) => [
  {
    functionDeclarations: run.facts.TOOLS.map(({ name, description, parameters }) => ({
      name,
      description,
      parametersJsonSchema: parameters,
    })),
  },
];

async function asked(google, run, contents, streamed, config = {}) {
  const body = { model: run.model, contents, config };
  if (!streamed) return google.models.generateContent(body);
  const parts = [];
  let last;
  for await (const chunk of await google.models.generateContentStream(body)) {
    parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
    last = chunk;
  }
  last.candidates[0].content = { role: "model", parts };
  return last;
}

for (const streamed of [false, true]) {
  const how = streamed ? "streamed" : "whole";

  scenario(`a plain question is answered, ${how}`, async (google, run) => {
    await run.then("plain");
    const config = { systemInstruction: { parts: [text("Be brief."), text("Speak of governors.")] }, maxOutputTokens: 50 };
    const response = await asked(google, run, [user(text("What is it?"))], streamed, config);

    assert.equal(response.text, run.facts.PLAIN);
    assert.equal(response.candidates[0].finishReason, "STOP");
    assert.deepEqual([response.usageMetadata.promptTokenCount, response.usageMetadata.candidatesTokenCount], [11, 9]);
    const seen = await run.seen();
    assert.deepEqual(seen.system, ["Be brief.", "Speak of governors."]);
    assert.deepEqual(seen.words, [["user", "What is it?"]]);
    assert.equal(seen.max_tokens, 50);
    assert.equal(seen.stream, streamed);
  });

  scenario(`a tool is called and its result answered, ${how}`, async (google, run) => {
    await run.then("one_call", "plain");
    const history = [user(text("How is Paris?"))];
    const response = await asked(google, run, history, streamed, { tools: tools(run) });
    const [call] = response.functionCalls;
    history.push(said(response), user(result(call, "21 degrees")));
    const answer = await asked(google, run, history, streamed, { tools: tools(run) });

    assert.deepEqual([call.name, call.args], ["weather", { city: "Paris" }]);
    assert.equal(answer.text, run.facts.PLAIN);
    const seen = await run.seen();
    assert.deepEqual(seen.answered, { Paris: "21 degrees" });
    assert.ok(seen.paired);
    assert.deepEqual(seen.tools.weather, run.facts.WEATHER.parameters);
  });

  scenario(`two tools are called at once and both are answered, ${how}`, async (google, run) => {
    await run.then("two_calls", "plain");
    const history = [user(text("How are Paris and Oslo?"))];
    const response = await asked(google, run, history, streamed, { tools: tools(run) });
    const [first, second] = response.functionCalls;
    history.push(said(response), user(result(first, "21 degrees"), result(second, "4 degrees")));
    await asked(google, run, history, streamed, { tools: tools(run) });

    assert.deepEqual([first, second].map((call) => call.args.city), ["Paris", "Oslo"]);
    assert.deepEqual((await run.seen()).answered, { Paris: "21 degrees", Oslo: "4 degrees" });
  });

  scenario(`a call without arguments is an empty object, ${how}`, async (google, run) => {
    await run.then("bare_call", "plain");
    const history = [user(text("What time is it?"))];
    const response = await asked(google, run, history, streamed, { tools: tools(run) });
    const [call] = response.functionCalls;
    await asked(google, run, [...history, said(response), user(result(call, "noon"))], streamed, { tools: tools(run) });

    assert.deepEqual(call.args ?? {}, {});
    assert.deepEqual((await run.seen()).calls, [["now", {}]]);
  });

  scenario(`a thought goes back to who thought it turn after turn, ${how}`, async (google, run) => {
    await run.then("thought_and_call", "second_thought", "plain");
    const options = { tools: tools(run), thinkingConfig: { includeThoughts: true } };
    const history = [user(text("How is Paris?"))];
    const first = await asked(google, run, history, streamed, options);
    history.push(said(first), user(result(first.functionCalls[0], "21 degrees")));
    const second = await asked(google, run, history, streamed, options);
    const secondRequest = await run.seen();
    history.push(said(second), user(text("And tomorrow?")));
    await asked(google, run, history, streamed, options);

    const thoughts = said(first).parts.filter((part) => part.thought).map((part) => part.text);
    assert.equal(thoughts.join(""), run.facts.THOUGHT);
    assert.deepEqual(secondRequest.signatures, run.signed(run.facts.SIGNATURE));
    assert.deepEqual((await run.seen()).signatures, run.signed(run.facts.SIGNATURE, run.facts.SECOND_SIGNATURE));
  });

  scenario(`an answer that is cut short says so, ${how}`, async (google, run) => {
    await run.then("too_long");

    const response = await asked(google, run, [user(text("More."))], streamed);
    assert.equal(response.candidates[0].finishReason, "MAX_TOKENS");
  });

  scenario(`usage adds up to the bill, ${how}`, async (google, run) => {
    await run.then("cached");
    const { usageMetadata } = await asked(google, run, [user(text("Again."))], streamed);

    assert.deepEqual([usageMetadata.promptTokenCount, usageMetadata.cachedContentTokenCount], [100, 60]);
    assert.equal(usageMetadata.totalTokenCount, 120);
  });

  scenario(`a page instead of an answer raises, ${how}`, async (google, run) => {
    await run.then("html", "html", "html");
    const error = await thrown(() => asked(google, run, [user(text("x"))], streamed));

    assert.match(error.message, /the upstream of model/);
  });
}

scenario("each word of a stream comes as it is said", async (google, run) => {
  await run.then("plain");
  const words = [];
  for await (const chunk of await google.models.generateContentStream({ model: run.model, contents: "What is it?" })) {
    if (chunk.text) words.push(chunk.text);
  }

  assert.equal(words.join(""), run.facts.PLAIN);
  assert.ok(words.length > 1);
});

scenario("a chat remembers what was said", async (google, run) => {
  await run.then("plain", "plain");
  const chat = google.chats.create({ model: run.model });
  await chat.sendMessage({ message: "What is it?" });
  await chat.sendMessage({ message: "And why?" });

  assert.deepEqual((await run.seen()).words, [
    ["user", "What is it?"],
    ["assistant", run.facts.PLAIN],
    ["user", "And why?"],
  ]);
});

scenario("an answer by a schema is JSON", async (google, run) => {
  await run.then("structured");
  const schema = {
    type: "object",
    properties: { city: { type: "string" }, degrees: { type: "integer" } },
    required: ["city", "degrees"],
  };
  const config = { responseMimeType: "application/json", responseJsonSchema: schema };
  const response = await asked(google, run, [user(text("How is Paris?"))], false, config);

  assert.deepEqual(JSON.parse(response.text), { city: "Paris", degrees: 21 });
  assert.deepEqual((await run.seen()).schema, schema);
});

scenario("one tool out of several has to be called", async (google, run) => {
  await run.then("one_call");
  const functionCallingConfig = { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ["weather"] };
  await asked(google, run, [user(text("How is Paris?"))], false, { tools: tools(run), toolConfig: { functionCallingConfig } });

  assert.match(JSON.stringify((await run.seen()).body), /"weather"/);
});

scenario("an image is seen", async (google, run) => {
  await run.then("plain");
  const image = { inlineData: { mimeType: "image/png", data: run.facts.PNG } };
  await asked(google, run, [user(image, text("What is this?"))], false);

  assert.deepEqual((await run.seen()).images, [["image/png", run.facts.PNG]]);
});

scenario("a document is read", async (google, run) => {
  await run.then("plain");
  const paper = { inlineData: { mimeType: "application/pdf", data: run.facts.PDF } };
  await asked(google, run, [user(paper, text("What does it say?"))], false);

  assert.deepEqual((await run.seen()).documents, [["application/pdf", run.facts.PDF]]);
});

scenario("tokens are counted before they are spent", async (google, run) => {
  const counted = await google.models.countTokens({ model: run.model, contents: "What is it?" });

  assert.ok(counted.totalTokens > 0);
});

scenario("a wrong key is refused", async (_, run) => {
  const error = await thrown(() => asked(made(run, "fb_wrong"), run, [user(text("x"))], false));

  assert.ok(error instanceof ApiError, `${error}`);
  assert.equal(error.status, 401);
});

scenario("an unknown model is not found", async (google) => {
  const error = await thrown(() => asked(google, { model: "nosuch" }, [user(text("x"))], false));

  assert.ok(error instanceof ApiError, `${error}`);
  assert.equal(error.status, 404);
});

scenario("a busy upstream says so", async (google, run) => {
  await run.then("busy");
  const error = await thrown(() => asked(google, run, [user(text("x"))], true));

  assert.equal(error.status, 429);
});

for (const fault of ["error_midway", "unfinished", "cut", "malformed"]) {
  scenario(`a stream that breaks raises: ${fault}`, async (google, run) => {
    await run.then(fault);

    await thrown(() => asked(google, run, [user(text("x"))], true));
  });
}

scenario("a function answers like a model", async (google, run) => {
  for (const streamed of [false, true]) {
    const answer = await asked(google, { model: "triage" }, [user(text("What day is it?"))], streamed);
    const words = said(answer).parts.map((part) => part.text ?? "").join("");
    assert.equal(words, run.facts.FUNCTION_ANSWER);
  }
});
