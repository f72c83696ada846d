"""LiveKit's agents: what is said to them and what they say, beside OpenTelemetry's names.

https://github.com/livekit/agents/blob/main/livekit-agents/livekit/agents/telemetry/trace_types.py
"""

from .dialect import Dialect

LIVEKIT = Dialect(
    name="livekit",
    title="LiveKit Agents",
    speaks=("lk.",),
    scopes=("livekit",),
    kinds={"lk.function_tool.id": "tool"},
    # These name a model as well; the request that lies between them calls it.
    own_kinds={
        "lk.generation_id": "agent",
        "lk.function_tools": "chain",
        "lk.retry_count": "span",
        "lk.agent_label": "span",  # what goes on around an agent
    },
    fields={
        "agent": ("lk.agent_name", "lk.agent_label"),
        "tool": ("lk.function_tool.name",),
        "first_token.seconds": ("lk.response.ttft",),
        "input.messages": ("lk.pii.chat_ctx", "lk.chat_ctx"),
        "input.text": (
            "lk.pii.user_input",
            "lk.user_input",
            "lk.pii.user_transcript",
            "lk.user_transcript",
            "lk.pii.function_tool.arguments",
            "lk.function_tool.arguments",
            "lk.pii.input_text",
            "lk.input_text",
        ),
        "output.text": (
            "lk.pii.response.text",
            "lk.response.text",
            "lk.pii.function_tool.output",
            "lk.function_tool.output",
        ),
    },
)
