"""What an application does with the Langfuse SDK, one function per scene: each line on standard input names one, each line of the output tells what it saw.

Runs in a process of its own, under whichever major of the SDK stands on the path; it imports nothing of flyball.
"""

import contextlib
import datetime as dt
import importlib.metadata
import inspect
import json
import os
import pathlib
import re
import sys
import time
import traceback
import urllib.parse

import httpx
import langfuse
from langfuse import Langfuse
from langfuse.media import LangfuseMedia


def account():
    client = Langfuse()
    projects = client.api.projects.get()
    return {
        "auth": client.auth_check(),
        "health": client.api.health.health().status,
        "project": projects.data[0].name,
        "organisation": projects.data[0].organization.name,
        "url": client.get_trace_url(trace_id="0" * 32),
    }


def wrong_key():
    try:
        Langfuse(public_key="pk-wrong", secret_key="sk-wrong").auth_check()
    except Exception as error:
        return {"error": type(error).__name__, "status": error.status_code, "body": error.body}


def text_prompt(name):
    client = Langfuse()
    client.create_prompt(
        name=name,
        prompt="Hello {{who}}, {{ what }}!",
        labels=["production"],
        tags=["greeting"],
        config={"model": "m", "t": 0.5},
    )
    client.create_prompt(name=name, prompt="Good day {{who}}", commit_message="politer")
    kept, newest = client.get_prompt(name), client.get_prompt(name, label="latest")
    by_version = client.get_prompt(name, version=2)
    moved = client.update_prompt(name=name, version=2, new_labels=["production", "staging"])
    after = client.get_prompt(name)
    old = client.get_prompt(name, version=1)
    [listed] = client.api.prompts.list(name=name).data
    return {
        "kept": [kept.version, kept.prompt, sorted(kept.labels), kept.tags, kept.config],
        "compiled": kept.compile(who="Ada", what="{{who}}"),
        "uncompiled": kept.compile(who="Ada"),
        "variables": kept.variables,
        "newest": [newest.version, newest.prompt, newest.tags, newest.commit_message],
        "by_version": by_version.version,
        "moved": sorted(moved.labels),
        "after": [after.version, sorted(after.labels)],
        "old": [old.version, old.labels],
        "listed": [listed.name, listed.versions, sorted(listed.labels), listed.tags],
    }


def chat_prompt(name):
    client = Langfuse()
    messages = [
        {"role": "system", "content": "You are {{who}}."},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": "{{question}} {% raw %} {{a.b}}"},
    ]
    made = client.create_prompt(name=name, type="chat", prompt=messages, labels=["production"])
    got = client.get_prompt(name, type="chat")
    return {
        "same": made == got,
        "version": got.version,
        "compiled": got.compile(who="a poet", question="Why?", history=[{"role": "assistant", "content": "Hm."}]),
        "langchain": str(got.get_langchain_prompt(history=[])[0]),
    }


def prompt_cache(name):
    client = Langfuse()
    client.create_prompt(name=name, prompt="one", labels=["production"])
    first = client.get_prompt(name, cache_ttl_seconds=60).prompt
    other = Langfuse(public_key="pk-other")
    other.create_prompt(name=name, prompt="two", labels=["production"])
    cached = client.get_prompt(name, cache_ttl_seconds=60).prompt
    uncached = client.get_prompt(name, cache_ttl_seconds=0).prompt
    client.create_prompt(name=name, prompt="three", labels=["production"])
    return [first, cached, uncached, client.get_prompt(name).prompt]


def missing_prompt(name):
    client = Langfuse()
    client.create_prompt(name=f"{name} made", prompt="unlabelled")
    seen = {}
    for key, asked in {"unknown": {"name": name}, "unlabelled": {"name": f"{name} made"}}.items():
        try:
            client.get_prompt(**asked, max_retries=0)
        except Exception as error:
            seen[key] = [type(error).__name__, error.status_code, error.body["message"]]
    fallback = client.get_prompt(name, fallback="Hi {{who}}", max_retries=0)
    return seen | {"fallback": [fallback.is_fallback, fallback.compile(who="Ada")]}


def referring_prompt(name):
    client = Langfuse()
    client.create_prompt(name=f"{name}/inner", prompt="dear {{who}}", labels=["production"])
    client.create_prompt(
        name=name, prompt=f"Hello @@@langfusePrompt:name={name}/inner|label=production@@@!", labels=["production"]
    )
    client.create_prompt(
        name=f"{name} round", prompt=f"@@@langfusePrompt:name={name} round|label=production@@@", labels=["production"]
    )
    try:
        client.get_prompt(f"{name} round", max_retries=0)
    except Exception as error:
        circle = error.body["message"]
    return {"filled": client.get_prompt(name).compile(who="Ada"), "circle": circle}


def scores(trace, session):
    client = Langfuse()
    client.create_score(
        name="quality", value=0.9, trace_id=trace, comment="good", metadata={"a": 1}, score_id=f"q-{trace}"
    )
    client.create_score(name="tone", value="warm", trace_id=trace, observation_id="b" * 16, data_type="CATEGORICAL")
    client.create_score(name="safe", value=1, trace_id=trace, data_type="BOOLEAN")
    client.create_score(name="calm", value=0.5, session_id=session)
    client.flush()
    client.create_score(name="quality", value=0.1, trace_id=trace, comment="worse", score_id=f"q-{trace}")
    client.flush()
    if hasattr(client.api, "score_v_2"):
        found = client.api.score_v_2.get(trace_id=trace).data
        of_session = client.api.score_v_2.get(session_id=session).data
        one = client.api.score_v_2.get_by_id(f"q-{trace}")
    elif hasattr(client.api.scores, "get_by_id"):
        found = client.api.scores.get_many(trace_id=trace).data
        of_session = client.api.scores.get_many(session_id=session).data
        one = client.api.scores.get_by_id(f"q-{trace}")
    else:
        found = client.api.scores.get_many(trace_id=trace, fields="subject,details").data
        of_session = client.api.scores.get_many(session_id=session, fields="subject").data
        [one] = client.api.scores.get_many(id=f"q-{trace}", fields="details").data
    return {
        "found": sorted(
            [score.name, score.data_type, getattr(score, "string_value", None) or score.value] for score in found
        ),
        "one": [one.name, one.value, one.comment],
        "session": [[score.name, score.value] for score in of_session],
        "bounded": [one.name for one in bounded(client, trace)],
    }


def bounded(client, trace):
    api = client.api
    if hasattr(api, "score_v_2"):
        return api.score_v_2.get(trace_id=trace, operator=">", value=0.5).data
    if hasattr(api.scores, "get_by_id"):
        return api.scores.get_many(trace_id=trace, operator=">", value=0.5).data
    return api.scores.get_many(trace_id=trace, value_min=0.6).data


def score_configs(trace):
    client = Langfuse()
    api = client.api.score_configs
    fields = {"name": "grade", "categories": [{"label": "good", "value": 1}, {"label": "bad", "value": 0}]}
    if "request" in inspect.signature(api.create).parameters:
        from langfuse.api import CreateScoreConfigRequest

        made = api.create(request=CreateScoreConfigRequest(**fields, dataType="CATEGORICAL"))
    else:
        made = api.create(**fields, data_type="CATEGORICAL")
    client.create_score(name="grade", value="good", trace_id=trace, config_id=made.id, data_type="CATEGORICAL")
    client.create_score(name="grade", value="superb", trace_id=trace, config_id=made.id, data_type="CATEGORICAL")
    client.flush()
    return {
        "config": [made.name, made.data_type],
        "same": api.get_by_id(made.id) == made,
        "listed": made.id in [c.id for c in api.get().data],
    }


def traces(session):
    client = Langfuse()

    @langfuse.observe()
    def retrieve(question):
        return ["a", "b"]

    with client.start_as_current_observation(as_type="span", name="request", input={"q": "Why?"}) as root:
        with propagated(client, root, session):
            retrieve("Why?", langfuse_public_key="pk-anything")  # other clients may have been made in this process
            with client.start_as_current_observation(
                as_type="generation", name="answer", model="gpt-5-mini", input=[{"role": "user", "content": "Why?"}]
            ) as call:
                call.update(
                    output="Because.",
                    usage_details={"input": 10, "output": 5},
                    cost_details={"input": 0.001, "output": 0.002},
                    model_parameters={"temperature": 0},
                )
            with client.start_as_current_observation(as_type="tool", name="search") as tool:
                tool.update(level="ERROR", status_message="no such index", metadata={"tries": 2})
        root.update(output="Because.")
        client.score_current_trace(name="quality", value=1)
        seen = {"trace": root.trace_id, "root": root.id, "call": call.id, "current": client.get_current_trace_id()}
    client.flush()
    return seen


def propagated(client, root, session):
    if hasattr(langfuse, "propagate_attributes"):
        return langfuse.propagate_attributes(user_id="ann", session_id=session, tags=["t1"], metadata={"plan": "pro"})
    root.update_trace(user_id="ann", session_id=session, tags=["t1"])
    return contextlib.nullcontext()


def older_events(trace, session):
    """What clients before version 3 send, in two batches: what is known first, and what changed."""
    now = dt.datetime.now(dt.UTC)
    at = [(now + dt.timedelta(seconds=number)).isoformat() for number in range(5)]

    def event(number, kind, **body):
        return {"id": f"{trace}-{number}-{kind}", "type": kind, "timestamp": at[0], "body": body}

    batches = (
        [
            event(
                0,
                "trace-create",
                id=trace,
                name="chat",
                userId="ann",
                sessionId=session,
                tags=["old"],
                input="Why?",
                timestamp=at[0],
            ),
            event(
                1, "span-create", id=f"{trace}-outer", traceId=trace, name="outer", startTime=at[0], input={"q": "Why?"}
            ),
            event(
                2,
                "generation-create",
                id=f"{trace}-call",
                traceId=trace,
                parentObservationId=f"{trace}-outer",
                name="call",
                startTime=at[1],
                model="gpt-5-mini",
                prompt="x",
            ),
            event(
                3,
                "event-create",
                id=f"{trace}-seen",
                traceId=trace,
                parentObservationId=f"{trace}-outer",
                name="seen",
                startTime=at[1],
            ),
            event(4, "no-such-thing", id="x"),
            event(5, "span-create", id="y", traceId=trace, startTime="yesterday"),
        ],
        [
            event(
                6,
                "generation-update",
                id=f"{trace}-call",
                traceId=trace,
                endTime=at[2],
                output="Because.",
                usage={"promptTokens": 10, "completionTokens": 5},
            ),
            event(
                7,
                "span-update",
                id=f"{trace}-outer",
                traceId=trace,
                endTime=at[3],
                output="Because.",
                level="ERROR",
                statusMessage="late",
            ),
            event(8, "score-create", traceId=trace, name="quality", value=1),
        ],
    )
    answers = []
    for batch in batches:
        for _ in range(2):  # clients send again what they heard no answer to
            answer = httpx.post(
                f"{os.environ['LANGFUSE_HOST']}/api/public/ingestion",
                json={"batch": batch}, auth=("pk", os.environ["LANGFUSE_SECRET_KEY"]), timeout=30,
            )  # fmt: skip
            answers.append(
                [
                    answer.status_code,
                    len(answer.json()["successes"]),
                    [one["message"] for one in answer.json()["errors"]],
                ]
            )
    return answers


def datasets(name, item):
    client = Langfuse()
    client.create_dataset(name=name, description="capitals", metadata={"team": "x"})
    client.create_dataset_item(
        dataset_name=name, input={"country": "Italy"}, expected_output="Rome", metadata={"n": 1}, id=f"{item}-1"
    )
    client.create_dataset_item(dataset_name=name, input={"country": "France"}, expected_output="Lyon", id=f"{item}-2")
    client.create_dataset_item(dataset_name=name, input={"country": "Spain"}, expected_output="Madrid", id=f"{item}-3")
    before = datetime_now()
    client.create_dataset_item(dataset_name=name, expected_output="Paris", id=f"{item}-2")
    client.create_dataset_item(dataset_name=name, id=f"{item}-3", status="ARCHIVED")
    dataset = client.get_dataset(name, fetch_items_page_size=2)
    then = client.api.dataset_items.list(dataset_name=name, version=before).data
    client.api.dataset_items.delete(f"{item}-1")
    return {
        "dataset": [dataset.name, dataset.description, dataset.metadata],
        "items": sorted(
            [one.id, one.input, one.expected_output, one.metadata, one.status, one.dataset_name]
            for one in dataset.items
        ),
        "then": sorted([one.id, one.expected_output, one.status] for one in then),
        "left": sorted(one.id for one in client.get_dataset(name).items),
        "listed": name in [one.name for one in client.api.datasets.list().data],
    }


def datetime_now():
    time.sleep(0.01)
    now = dt.datetime.now(dt.UTC)
    time.sleep(0.01)
    return now


def experiment(name, item):
    client = Langfuse()
    client.create_dataset(name=name)
    for number in range(3):
        client.create_dataset_item(
            dataset_name=name, input={"n": number}, expected_output=number * 2, id=f"{item}-{number}"
        )
    dataset = client.get_dataset(name)

    def double(*, item, **_):
        with client.start_as_current_observation(as_type="generation", name="double", model="m") as call:
            call.update(output=item.input["n"] * 2, usage_details={"input": 1, "output": 1})
        return item.input["n"] * 2

    def right(*, output, expected_output, **_):
        return langfuse.Evaluation(name="right", value=float(output == expected_output))

    def share(*, item_results, **_):
        return langfuse.Evaluation(
            name="share", value=sum(one.evaluations[0].value for one in item_results) / len(item_results)
        )

    done = dataset.run_experiment(
        name="doubling",
        run_name="run one",
        description="d",
        task=double,
        evaluators=[right],
        run_evaluators=[share],
        metadata={"v": "1"},
    )
    client.flush()
    runs, again = [], None
    if hasattr(client.api.datasets, "get_runs"):
        quoted = urllib.parse.quote(name, safe="")
        runs = [run.name for run in client.api.datasets.get_runs(quoted).data]
        again = client.api.datasets.get_run(quoted, "run one")
        again = [
            again.id == getattr(done, "dataset_run_id", again.id),
            sorted(one.dataset_item_id for one in again.dataset_run_items),
        ]
    id_ = getattr(done, "experiment_id", None) or done.dataset_run_id
    told_of = {}
    if hasattr(client.api, "experiments"):
        since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
        [one] = client.api.experiments.list(from_start_time=since, dataset_id=dataset.id).data
        first = client.api.experiments.list_items(from_start_time=since, experiment_id=one.id, limit=2, fields="io")
        second = client.api.experiments.list_items(
            from_start_time=since, experiment_id=one.id, limit=2, cursor=first.meta.cursor
        )
        items = [*first.data, *second.data]
        told_of["experiment"] = [one.id == id_, one.name, one.item_count, second.meta.cursor]
        told_of["items"] = sorted(
            [each.experiment_item_id, each.input, each.output, each.expected_output] for each in items
        )
    return {
        "results": sorted([one.item.id, one.output, one.evaluations[0].value] for one in done.item_results),
        "share": [one.value for one in done.run_evaluations],
        "traces": [one.trace_id for one in done.item_results],
        "runs": runs,
        "again": again,
        **told_of,
        "id": id_,
    }


def told(record, word):
    """A field, of a record or of what an older major leaves as it came."""
    return (
        record[word]
        if isinstance(record, dict)
        else getattr(record, re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", word))
    )


def read_back(session):
    seen = traces(session)
    api, trace = Langfuse().api, seen["trace"]
    found = {}
    if hasattr(api, "legacy"):
        older = api.legacy.observations_v1
    elif hasattr(api, "observations_v_2"):
        older = api.observations
    else:
        older = None
    if older is not None:
        whole = api.trace.get(trace)
        found["trace"] = [
            whole.name,
            whole.session_id,
            whole.user_id,
            whole.tags,
            whole.input,
            whole.output,
            round(whole.total_cost, 6),
        ]
        found["inside"] = sorted([one.name, one.type, one.level] for one in whole.observations)
        found["scores"] = [[one.name, one.value] for one in whole.scores]
        [listed] = api.trace.list(session_id=session).data
        found["listed"] = [listed.id == trace, len(listed.observations)]
        found["session"] = [one.id == trace for one in api.sessions.get(session).traces]
        call = older.get(seen["call"])
        found["call"] = [
            call.model,
            call.usage.input,
            call.usage.output,
            call.input,
            call.output,
            call.model_parameters,
            call.parent_observation_id == seen["root"],
        ]
        found["older"] = sorted(one.name for one in older.get_many(trace_id=trace).data)
        found["generations"] = [one.name for one in older.get_many(trace_id=trace, type="GENERATION").data]
    newer = api.observations_v_2 if hasattr(api, "observations_v_2") else api.observations
    first = newer.get_many(trace_id=trace, limit=3)
    second = newer.get_many(trace_id=trace, limit=3, cursor=first.meta.cursor)
    found["newer"] = sorted(told(one, "name") for one in [*first.data, *second.data])
    found["ended"] = second.meta.cursor is None
    [call] = newer.get_many(trace_id=trace, type="GENERATION", parse_io_as_json=True).data
    words = ("type", "input", "output", "usageDetails", "totalCost")
    kind, given, answer, usage, cost = (told(call, word) for word in words)
    found["newer_call"] = [kind, given, answer, usage["input"], round(cost, 6)]
    return found


def long_text(length):
    client = Langfuse()
    with client.start_as_current_observation(as_type="span", name="long", input={"text": "é" * length}) as span:
        span.update(output="ü" * length)
    client.flush()
    newer = client.api.observations_v_2 if hasattr(client.api, "observations_v_2") else client.api.observations
    [one] = newer.get_many(trace_id=span.trace_id, parse_io_as_json=True).data
    return [len(told(one, "input")["text"]), len(told(one, "output"))]


def media(text):
    client = Langfuse()
    picture = LangfuseMedia(content_bytes=text.encode(), content_type="image/png")
    with client.start_as_current_observation(as_type="span", name="drawing", input={"picture": picture}) as span:
        trace = span.trace_id
    client.flush()
    record = client.api.media.get(picture._media_id)
    with client.start_as_current_observation(as_type="span", name="again", input={"picture": picture}):
        pass
    client.flush()
    return {
        "trace": trace,
        "reference": picture._reference_string or picture._media_id,
        "id": picture._media_id,
        "type": record.content_type,
        "length": record.content_length,
        "fetched": httpx.get(record.url).content.decode(),
        "kind": httpx.get(record.url).headers["content-type"],
        "twice": httpx.put(record.url, content=b"other").status_code,
        "forged": httpx.get(record.url[:-4] + "AAAA").status_code,
        "stranger": httpx.get(record.url.rsplit("/", 2)[0] + f"/{picture._media_id}").status_code,
    }


def main():
    [told] = pathlib.Path(langfuse.__file__).parents[1].glob("langfuse-*.dist-info")
    print(json.dumps({"version": importlib.metadata.PathDistribution(told).version}), flush=True)
    for line in sys.stdin:
        scene, given = json.loads(line)
        try:
            seen = {"seen": globals()[scene](**given)}
        except Exception:
            seen = {"failed": traceback.format_exc()}
        print(json.dumps(seen, default=str), flush=True)


if __name__ == "__main__":
    main()
