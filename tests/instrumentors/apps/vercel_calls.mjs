// Three scenes with the AI SDK on OpenAI, in the version that the name says: a plain answer, a streamed one, a tool called and
// answered. Each under a span of its own, which tells which it was; everything is sent by OTLP as the environment says.

import { context, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { z } from "zod";

const SYSTEM = "Answer in one sentence.";
const QUESTION = "What does a governor do?";
const WEATHER_QUESTION = "How is the weather in Kraków?";
const WEATHER = "11 degrees and rain";

const version = process.argv[2].split("-")[1];
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": process.env.OTEL_SERVICE_NAME }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();

const newest = version === "7";
const ai = await import(newest ? "ai" : `ai-${version}`);
const { createOpenAI } = await import(newest ? "@ai-sdk/openai" : `openai-${version}`);
if (newest) {
  const { OpenTelemetry } = await import("@ai-sdk/otel");
  ai.registerTelemetry(new OpenTelemetry());
}

const openai = createOpenAI({ baseURL: `${process.env.UPSTREAM}/v1`, apiKey: "none", compatibility: "strict" });
const telemetry = { isEnabled: true, functionId: "weather", metadata: { userId: "u-1" } };
const common = {
  model: openai.chat("gpt-4o-mini"), maxRetries: 0,
  ...(newest ? { telemetry: { functionId: "weather" } } : { experimental_telemetry: telemetry }),
};
const system = newest ? { instructions: SYSTEM } : { system: SYSTEM };

async function plain() {
  await ai.generateText({ ...common, ...system, prompt: QUESTION });
}

async function streamed() {
  const answer = ai.streamText({ ...common, ...system, prompt: QUESTION });
  for await (const _ of answer.textStream);
}

async function tool() {
  const shape = z.object({ city: z.string() });
  const get_weather = ai.tool({
    description: "The weather in a city",
    ...(version === "4" ? { parameters: shape } : { inputSchema: shape }),
    execute: async ({ city }) => (city ? WEATHER : ""),
  });
  const steps = version === "4" ? { maxSteps: 2 } : { stopWhen: (newest ? ai.isStepCount : ai.stepCountIs)(2) };
  await ai.generateText({ ...common, prompt: WEATHER_QUESTION, tools: { get_weather }, ...steps });
}

const tracer = trace.getTracer("application");
for (const scene of [plain, streamed, tool]) {
  const span = tracer.startSpan(scene.name);
  await context.with(trace.setSpan(context.active(), span), scene);
  span.end();
}
await provider.shutdown();
