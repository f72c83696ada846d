"""Files that the Langfuse SDK finds in what is traced: sent once, kept by their content, fetched by who was given the address."""

from recorded import spans_of


def test_a_picture_is_sent_referred_to_and_fetched(sdk):
    text = f"a picture of {sdk.major}"

    seen = sdk.play("media", text=text)

    assert (seen["type"], seen["length"], seen["fetched"]) == ("image/png", len(text), text)
    assert seen["kind"] == "application/octet-stream"
    assert seen["twice"] == seen["forged"] == 403
    assert seen["stranger"] == 401
    _, spans = spans_of(sdk.server, seen["trace"], until=bool)
    assert f"id={seen['id']}" in spans["drawing"]["input_preview"]
