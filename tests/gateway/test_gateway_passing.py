"""Everything outside /v1 goes to the control process and back, streamed; and what is said while it is away."""

import asyncio

import msgspec


async def echo(scope, body, send):
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    said = {
        "method": scope["method"],
        "path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": headers,
        "body_bytes": len(body),
    }
    answer = msgspec.json.encode(said)
    await send(
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [
                (b"content-type", b"application/json"),
                (b"set-cookie", b"a=1"),
                (b"set-cookie", b"b=2"),
                (b"x-own", b"yes"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": answer})


async def test_a_request_arrives_as_it_was_sent_with_the_way_that_it_came(gateway, control):
    control.answer = echo

    answer = await gateway.send(
        "PUT", "/api/things/a%2Fb?x=1&y=%20", b"body", authorization="Bearer k", cookie="s=1", x_forwarded_for="6.6.6.6"
    )

    said = msgspec.json.decode(answer.body)
    assert answer.status == 201
    assert (said["method"], said["path"], said["query"], said["body_bytes"]) == (
        "PUT",
        "/api/things/a%2Fb",
        "x=1&y=%20",
        4,
    )
    assert (said["headers"]["authorization"], said["headers"]["cookie"]) == ("Bearer k", "s=1")
    assert said["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert said["headers"]["x-forwarded-proto"] == "http"
    assert said["headers"]["host"] == said["headers"]["x-forwarded-host"] == gateway.base.removeprefix("http://")
    assert answer.headers["x-own"] == "yes"


async def test_headers_of_the_hop_stay_on_the_hop(gateway, control):
    control.answer = echo

    answer = await gateway.send("GET", "/", connection="keep-alive, x-of-the-hop", x_of_the_hop="1", te="trailers")

    headers = msgspec.json.decode(answer.body)["headers"]
    assert not {"connection", "te", "x-of-the-hop", "transfer-encoding"} & set(headers)


async def test_a_large_body_is_streamed(gateway, control):
    control.answer = echo

    answer = await gateway.send("POST", "/api/import", b"x" * 3_000_000)

    assert msgspec.json.decode(answer.body)["body_bytes"] == 3_000_000


async def test_an_answer_is_streamed_as_it_comes(gateway, control):
    first_read = asyncio.Event()

    async def slowly(scope, body, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await asyncio.wait_for(first_read.wait(), 2)
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})

    control.answer = slowly
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.base.rpartition(":")[2]))
    writer.write(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"data: 1\n\n"), 2)
    first_read.set()
    await asyncio.wait_for(reader.readuntil(b"data: 2\n\n"), 2)
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_leaves_lets_the_control_process_know(gateway, control):
    async def never(scope, body, send):
        await asyncio.sleep(30)

    control.answer = never
    _, writer = await asyncio.open_connection("127.0.0.1", int(gateway.base.rpartition(":")[2]))
    writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
    await asyncio.sleep(0.2)
    writer.close()
    await writer.wait_closed()

    for _ in range(100):
        if control.hangups:
            break
        await asyncio.sleep(0.01)
    assert control.hangups == 1


async def test_while_the_control_process_is_away_a_person_gets_a_page_and_a_program_json(gateway):
    page = await gateway.send("GET", "/", accept="text/html,*/*")
    data = await gateway.send("GET", "/api/things", accept="application/json")

    assert (page.status, data.status) == (503, 503)
    assert b"flyball doctor" in page.body
    assert page.headers["content-type"].startswith("text/html")
    assert data.error["code"] == "peer_away"
    assert data.headers["retry-after"] == "2"


async def test_models_are_served_while_the_control_process_is_away(gateway):
    assert (await gateway.post({"model": "fast", "messages": [{"role": "user", "content": "x"}]})).status == 200


async def test_no_path_reaches_the_control_process_as_one_of_the_model_api(gateway, control):
    control.answer = echo

    assert (await gateway.send("GET", "/v1/wombats")).status == 404
    assert (await gateway.send("GET", "/v12")).status == 201
    assert [scope["path"] for scope, _ in control.requests] == ["/v12"]


async def test_a_head_request_is_answered_without_a_body(gateway, control):
    control.answer = echo

    answer = await gateway.send("HEAD", "/")

    assert (answer.status, answer.body) == (201, b"")
