"""An application that is observed without a change: three libraries that call models, inside and around functions of its own."""

import os
import sys

import anthropic
import openai
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI

import flyball

UPSTREAM = os.environ["UPSTREAM"]
QUESTION = [{"role": "user", "content": "What does a governor do?"}]

sys.stdout.write(f"{flyball.instrument('openai', 'anthropic', 'langchain')}\n")


@flyball.observe(name="ask openai", kind="tool")
def ask_openai() -> str:
    client = openai.OpenAI(base_url=f"{UPSTREAM}/v1", api_key="none", max_retries=0)
    return client.chat.completions.create(model="mock-openai", messages=QUESTION).choices[0].message.content


@flyball.observe(name="ask anthropic", kind="tool")
def ask_anthropic() -> str:
    client = anthropic.Anthropic(base_url=UPSTREAM, api_key="none", max_retries=0)
    answer = client.messages.create(model="mock-anthropic", max_tokens=100, messages=QUESTION)
    return "".join(block.text for block in answer.content if block.type == "text")


@flyball.observe(name="inside the chain")
def inside_the_chain(text: str) -> str:
    return text


@flyball.observe(name="ask langchain")
def ask_langchain() -> str:
    model = ChatOpenAI(model="mock-langchain", base_url=f"{UPSTREAM}/v1", api_key="none", max_retries=0)
    return (RunnableLambda(inside_the_chain) | model).invoke("What does a governor do?").text


@flyball.observe(name="answer", kind="agent")
def answer() -> list[str]:
    flyball.current_span().set(session="session-1")
    with flyball.ContextThreadPoolExecutor(1) as pool:
        return [ask_openai(), pool.submit(ask_anthropic).result(), ask_langchain()]


answer()
sys.stdout.write(f"{flyball.flush(20)}\n")
