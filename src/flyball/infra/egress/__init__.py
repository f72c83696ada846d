"""The one way out to addresses that come from outside: webhooks, sign-in providers. Verbs are imported by module: `flyball.infra.egress.client`.

    egress = Egress.of(ctx.settings)
    answer = await egress.request("POST", url, headers={"content-type": "application/json"}, body=data, seconds=10)

Models' endpoints go another way (`llm.wire`): where a model answers is mostly declared by the operator, and is often in a private
network. What another organisation than the operator's declares is held against the same networks, by `Egress.numbers`.
"""
