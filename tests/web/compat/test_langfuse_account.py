"""The Langfuse SDK finds out that its keys are good, or are not."""


def test_the_sdk_proves_its_key_and_finds_its_project(sdk):
    seen = sdk.play("account")

    assert seen == {
        "auth": True,
        "health": "OK",
        "project": "default",
        "organisation": "default",
        "url": f"{sdk.server.address}/project/default/traces/{'0' * 32}",
    }


def test_a_wrong_key_is_the_error_that_the_sdk_knows(sdk):
    seen = sdk.play("wrong_key")

    assert (seen["error"], seen["status"]) == ("UnauthorizedError", 401)
    assert "needs a valid key" in seen["body"]["message"]
